"""The ready exports: what `verify` says of them, what the site shows, and that they can be made anew."""

import io
import shutil
import zipfile

import pytest
from documentation import zoo as pages

import edgerl
import zoo

NAMES = sorted(zoo.ENTRIES)


def test_every_entry_is_there():
    assert pages.names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_export_is_what_export_writes_and_decides_as_simulated(name):
    found = edgerl.verify(zoo.ZOO / name, num_vectors=2_000, targets=["host C"])
    failed = [f"{check['name']}: {check['detail']}" for check in found["checks"] if check["passed"] is False]
    assert failed == [], "if `edgerl export` writes other files now, run scripts/zoo"


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_an_export_decides_as_simulated_on_every_machine(name):
    found = edgerl.verify(zoo.ZOO / name)
    assert [check for check in found["checks"] if check["passed"] is False] == []


@pytest.mark.long
def test_an_export_is_made_anew_from_its_integers(tmp_path):
    copy = shutil.copytree(zoo.ZOO / "cartpole", tmp_path / "cartpole")
    before = {path.name: path.read_bytes() for path in copy.glob("cartpole*")}
    zoo.remake(copy)
    assert {path.name: path.read_bytes() for path in copy.glob("cartpole*")} == before
    assert edgerl.verify(copy, num_vectors=2_000, targets=["host C"])["passed"]


def test_the_site_has_a_row_and_an_archive_of_each():
    table = pages.table().splitlines()[2:]
    assert [line.split(" | ")[0] for line in table] == [f"| **{name}**" for name in NAMES]
    for name in NAMES:
        data = pages.packed(name)
        assert len(data) < 200_000
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.read(f"{name}/{name}.c") == (zoo.ZOO / name / f"{name}.c").read_bytes()
