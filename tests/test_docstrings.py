"""Every public name says what it takes and has an example that runs, as the documentation site shows it."""

import dataclasses
import doctest
import inspect
import re
import shutil

import documents
import griffe
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import edgerl

# Whose examples train, or open what was trained.
TRAINED = ("Int8Policy", "Run", "load_policy", "open_run", "train", "verify")


@pytest.fixture(scope="module")
def described():
    """Name -> its docstring, as the site's generator reads it."""
    extensions = griffe.load_extensions(documents.ROOT / "scripts" / "documentation" / "docstrings.py")
    package = griffe.load("edgerl", search_paths=[documents.ROOT], extensions=extensions, allow_inspection=False)
    found = {name: package[name] for name in edgerl.__all__}
    return {name: (one.final_target if one.is_alias else one).docstring for name, one in found.items()}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with the run and the export that examples open."""
    folder = tmp_path_factory.mktemp("examples")
    run = edgerl.train("cartpole", folder / "runs" / "pole", num_seeds=1, ppo={"num_updates": 4})
    run.export(folder / "runs" / "pole_c")
    return folder


def _taken(public):
    """The arguments of a function, or what a class is made of. A field with a help of its own is described by that."""
    if dataclasses.is_dataclass(public):
        return {field.name for field in dataclasses.fields(public) if field.init and "help" not in field.metadata}
    if isinstance(public, type):  # a protocol is made of nothing; an error takes what it says
        return set() if getattr(public, "_is_protocol", False) or "__init__" not in vars(public) else {"message"}
    return set(inspect.signature(public).parameters) if inspect.isfunction(public) else set()


def _sections(docstring):
    return {section.kind.value: section.value for section in docstring.parse("google", warnings=False)}


@pytest.mark.parametrize("name", edgerl.__all__)
def test_a_public_name_says_what_it_takes(name, described):
    found = _sections(described[name])
    said = [item.name for kind in ("parameters", "attributes") for item in found.get(kind, [])]
    assert found["text"]
    assert _taken(getattr(edgerl, name)) <= {word.strip(" *") for words in said for word in words.split(",")}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long) if name in TRAINED else name for name in edgerl.__all__]
)
def test_the_example_of_a_public_name_runs(name, described, request, tmp_path, monkeypatch):
    text = described[name].value
    names = {"edgerl": edgerl, "jax": jax, "jnp": jnp, "np": np}
    example = doctest.DocTestParser().get_doctest(text, names, name, None, None)
    assert example.examples
    assert "examples" in _sections(described[name])
    assert "+SKIP" not in text
    if re.search("runs/pole", text):
        shutil.copytree(request.getfixturevalue("trained"), tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    said = []
    doctest.DocTestRunner().run(example, out=said.append)
    assert said == []
