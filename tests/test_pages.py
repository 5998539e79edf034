"""The documentation's pages as a reader uses them: their code runs, the site builds, its links lead somewhere."""

import re
import shlex

import documents
import pytest
from documentation import links

import edgerl
from edgerl.cli.parser import parser

RUN = ("python", "sh")
SHOWN = ("py", "c", "ini", "text", "yaml")  # a file, a firmware's source, an answer: nothing that a reader runs
QUICK = ("docs/own/policy.md",)  # the only page whose code the quick tests run


def _with(*kinds):
    return [page for page in documents.pages() if any(block.kind in kinds for block in documents.blocks(page))]


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=documents.name(page), marks=[] if documents.name(page) in QUICK else pytest.mark.long)
        for page in _with(*RUN)
        if documents.name(page) != "docs/extending.md"  # whose blocks test_documents runs
    ],
)
def test_the_code_of_a_page_runs(page, tmp_path):
    for block in documents.blocks(page):
        if block.kind in RUN:
            done = documents.run(block, tmp_path)
            assert done.returncode == 0, f"{block.text}\n{done.stdout}"


@pytest.mark.parametrize("page", _with("console"), ids=documents.name)
def test_a_command_answers_what_the_page_says(page, tmp_path):
    for block in (block for block in documents.blocks(page) if block.kind == "console"):
        question, _, answer = block.text.partition("\n")
        found = documents.run(documents.Block("sh", question.removeprefix("$ ")), tmp_path).stdout
        wanted = re.escape(answer.strip()).replace(re.escape("..."), ".*")
        assert re.fullmatch(wanted, found.strip()), f"{question}\n{found}"


@pytest.mark.parametrize("page", _with("bash", "sh"), ids=documents.name)
def test_a_page_gives_commands_that_are_understood(page):
    for block in (block for block in documents.blocks(page) if block.kind in ("bash", "sh")):
        for line in documents.commands(block):
            words = shlex.split(re.split(r"\s[>|]\s|\s&&\s", line)[0])
            if words[0] == "edgerl" and words[1:] != ["--version"]:
                parser().parse_args(words[1:])


@pytest.mark.parametrize("page", documents.pages(), ids=documents.name)
def test_a_page_has_no_block_of_another_kind(page):
    assert {block.kind for block in documents.blocks(page)} <= {*RUN, *SHOWN, "console", "bash"}


@pytest.mark.long
def test_the_site_builds_without_a_warning_and_its_links_lead_somewhere(tmp_path):
    command = f"NO_MKDOCS_2_WARNING=1 python -m mkdocs build --quiet --strict --site-dir {tmp_path}/site"
    build = f"cd {documents.ROOT} && {command}"
    done = documents.run(documents.Block("sh", build), tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert list(links.problems(tmp_path / "site")) == []


def test_links_that_lead_nowhere_are_found(tmp_path):
    (tmp_path / "other.html").write_text('<p id="here">')
    page = (
        '<a href="none.html"><a href="other.html#there"><a href="other.html#here"><a href="https://a.b"><a href="#no">'
    )
    (tmp_path / "index.html").write_text(f'{page}<img src="https://a.b/c.png"><script src="//a.b/d.js"></script>')
    assert list(links.problems(tmp_path)) == [
        "index.html: fetches https://a.b/c.png from elsewhere",
        "index.html: fetches //a.b/d.js from elsewhere",
        "index.html: none.html: there is no such file",
        "index.html: other.html#there: there is no such place in it",
        "index.html: #no: there is no such place in it",
    ]


def test_the_reference_has_every_public_name():
    page = (documents.ROOT / "docs" / "reference" / "index.md").read_text()
    named = re.findall(r"^::: edgerl\.(\w+)$", page, re.M)
    assert sorted(named) == sorted(edgerl.__all__)


def test_the_readme_is_short():
    assert len((documents.ROOT / "README.md").read_text().splitlines()) <= 150


@pytest.mark.parametrize("file", ["CITATION.cff", "CHANGELOG.md", "pyproject.toml"])
def test_the_version_is_the_same_everywhere(file):
    assert edgerl.__version__ in (documents.ROOT / file).read_text()
