"""Several exports in one program: named apart, tied to their hashes, as objects and as archives, in C and C++."""

import itertools
import shutil
import subprocess

import numpy as np
import pytest
from boards import answers, esp_idf

from edgerl import UserError, deploy, make
from edgerl.deploy import names

NAMES = ("pole", "left_motor", "policy")
MAIN = """
{includes}
#include <stdio.h>
int main(void) {{ printf("{formats}", {calls}); return 0; }}
"""


@pytest.fixture(scope="module")
def exports(make_policy, observations, tmp_path_factory):
    """Three exports of three policies, each under its own name."""
    root = tmp_path_factory.mktemp("exports")
    for i, name in enumerate(NAMES):
        policy = make_policy((5 + i,), ("relu", "tanh", "sigmoid")[i], seed=i)
        deploy.export(policy, observations, root / name, name=name, env=make("CartPole-v1") if i == 0 else None)
    return root


def compiled(exports, name, out, compiler="cc"):
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([compiler, *flags, "-c", exports / name / f"{name}.c", "-o", out / f"{name}.o"], check=True)
    return out / f"{name}.o"


@pytest.mark.parametrize("language", ["c", "cc"])
@pytest.mark.parametrize("chosen", [NAMES[:2], NAMES])
def test_self_tests_in_one_program(exports, tmp_path, chosen, language):
    """Linked as objects, and as archives in every order."""
    objects = {name: compiled(exports, name, tmp_path) for name in chosen}
    for name, made in objects.items():
        subprocess.run(["ar", "rcs", tmp_path / f"lib{name}.a", made], check=True)
    text = MAIN.format(
        includes="\n".join(f'#include "{name}.h"' for name in chosen),
        formats=" ".join(["%d"] * len(chosen)),
        calls=", ".join(f"{name}_self_test()" for name in chosen),
    )
    main = tmp_path / f"main.{language}"
    main.write_text(text)
    compiler = "cc" if language == "c" else "c++"
    include = [f"-I{exports / name}" for name in chosen]
    links = [list(objects.values())]
    links += [[f"-l{name}" for name in order] for order in itertools.permutations(chosen)]
    for link in links:
        subprocess.run([compiler, *include, main, f"-L{tmp_path}", *link, "-o", tmp_path / "program"], check=True)
        said = subprocess.run([tmp_path / "program"], capture_output=True, text=True, check=True).stdout
        assert said.split() == ["0"] * len(chosen)


def test_a_header_and_another_exports_object_do_not_link(exports, make_policy, observations, tmp_path):
    """Also where both have the same name."""
    deploy.export(make_policy((5,), "relu", seed=7), observations, tmp_path / "other", name="pole")
    (tmp_path / "main.c").write_text(
        '#include "pole.h"\nint main(void) { float obs[4] = {0}; return pole_act(obs); }\n'
    )
    link = ["cc", f"-I{exports / 'pole'}", tmp_path / "main.c", "-o", tmp_path / "program"]
    subprocess.run([*link, compiled(exports, "pole", tmp_path)], check=True)
    wrong = subprocess.run([*link, tmp_path / "other" / "pole.c"], capture_output=True, text=True, check=False)
    assert wrong.returncode != 0
    assert "undefined reference" in wrong.stderr


def test_a_named_export_is_verified_and_played(exports):
    found = deploy.verify(
        exports / "left_motor", num_vectors=2000, targets=("host C", "rv32imc", "Cortex-M0", "WebAssembly")
    )
    assert found["passed"], found
    assert np.asarray(deploy.load(exports / "left_motor")(None, np.zeros(4, np.float32))).shape == ()
    for path in (exports / "left_motor").rglob("*"):
        assert "policy" not in path.name, path


def test_the_header_says_what_the_numbers_mean(exports):
    text = (exports / "pole" / "pole.h").read_text()
    assert "[0] cart position, m: -" in text
    assert "*   0: push left\n *   1: push right" in text
    assert "int action = pole_act(obs);" in text
    assert "pole_act(obs)" in text
    readme = (exports / "pole" / "README.md").read_text()
    for command in ("idf.py set-target esp32c3", "arduino-cli compile --fqbn arduino:avr:uno", "symlink://"):
        assert command in readme


def test_the_example_stops_where_the_self_test_fails(exports, tmp_path):
    project = shutil.copytree(exports / "pole" / "esp_idf", tmp_path / "project")
    source = project / "components" / "edgerl_pole" / "pole.c"
    text = source.read_text()
    at = text.index("test_scores[")
    source.write_text(text[:at] + text[at:].replace("{", "{ 1 +", 2).replace("{ 1 +", "{", 1))
    said = answers(esp_idf(project, tmp_path), "obs: [0 0 0 0]\n")
    assert said == ["self-test: 1 of 6 failed"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Pole", "expected a word like 'pole'"),
        ("left motor", "expected a word"),
        ("2d", "expected a word"),
        ("", "expected a word"),
        ("a" * 32, "expected a word"),
        ("pole__x", "expected a word"),
        ("stdint", "stdint.h is a header of C or of a board"),
        ("main", "main.h is a header"),
        ("pole_exits", "an export called 'pole' has files of that name"),
        (3, "expected a word"),
    ],
)
def test_names_that_cannot_be(name, message, make_policy, observations, tmp_path):
    with pytest.raises(UserError, match=message) as caught:
        deploy.export(make_policy((3,), "relu"), observations, tmp_path / "out", name=name)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_two_exports_of_one_name_are_refused_in_one_folder(exports, make_policy, observations):
    with pytest.raises(UserError, match="exists already"):
        deploy.export(make_policy((3,), "relu"), observations, exports / "pole", name="pole")


def test_names_are_read_from_the_report(exports, tmp_path):
    assert names.of_folder(exports / "pole") == "pole"
    (tmp_path / "report.json").write_text('{"name": "../../etc"}')
    assert names.of_folder(tmp_path) == "policy"
