"""What newcomers run first: examples that say something. Pages: test_pages. Notebooks: test_labs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def examples(document):
    return re.findall(r"```python\n(.*?)```", (ROOT / document).read_text(), re.S)


@pytest.mark.parametrize(
    ("document", "number", "says"),
    [
        pytest.param("README.md", 0, "mean return, float and int8: ", marks=pytest.mark.long),
        pytest.param("docs/extending.md", 0, "-", marks=pytest.mark.long),
        ("docs/extending.md", 1, "steps balanced"),
    ],
)
def test_an_example_runs(document, number, says, tmp_path):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    code = [sys.executable, "-c", examples(document)[number]]
    done = subprocess.run(code, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert says in done.stdout


@pytest.mark.parametrize(("document", "count"), [("README.md", 1), ("docs/extending.md", 2)])
def test_every_example_is_run(document, count):
    assert len(examples(document)) == count


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_a_document_names_files_that_are_there(document):
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / document).read_text()):
        assert ((ROOT / document).parent / target).exists(), target
