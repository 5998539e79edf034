"""The labs: notebooks in order, without outputs, whose questions have solutions; executed by the long tests."""

import ast
import base64
import re

import documents
import nbformat
import pytest
import yaml
from documentation import labs

SEED = (
    "Introduction",
    "Pre-lab set-up",
    "Training PPO on CartPole-v0",
    "Quantising the trained model",
    "Generating C source for the ESP32-C3",
    "Visualizations",
    "Resources",
)

every = pytest.mark.parametrize("name", labs.COURSE)


def markdown_of(name):
    return "\n\n".join(cell.source for cell in labs.read(name).cells if cell.cell_type == "markdown")


def test_every_notebook_is_a_lab():
    assert sorted(path.stem for path in (documents.ROOT / "notebooks").glob("*.ipynb")) == sorted(labs.COURSE)


@every
def test_a_lab_is_stored_valid_and_without_outputs(name):
    notebook = labs.read(name)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        if cell.cell_type == "code":
            ast.parse(cell.source)


@every
def test_a_lab_says_its_aim_its_time_and_what_it_needs(name):
    said = labs.about(labs.read(name))
    assert set(said) == {"title", "Aim", "Time", "You need"}
    assert re.match(r"\d+ minutes", said["Time"])


@every
def test_sections_and_questions_are_numbered_and_every_question_has_a_solution(name):
    text = markdown_of(name)
    numbers = [int(number) for number in re.findall(r"^## (\d+)\. ", text, re.M)]
    assert numbers == list(range(1, len(numbers) + 1))
    marks = re.findall(r"\*\*Question (\d+)\.\*\*|(<details>\n<summary>Solution</summary>\n\n)|(\n\n</details>)", text)
    count = len(marks) // 3
    assert count >= 5
    wanted = [((str(n + 1), "", ""), ("", "open", ""), ("", "", "close")) for n in range(count)]
    assert [(n, o and "open", c and "close") for n, o, c in marks] == [mark for three in wanted for mark in three]


def test_the_cartpole_lab_has_the_seven_sections():
    assert tuple(re.findall(r"^## \d+\. (.*)$", markdown_of("cartpole_lab"), re.M)) == SEED


@pytest.mark.long
@every
def test_a_lab_runs(name, tmp_path):
    labs.executed(labs.read(name), tmp_path)


def test_the_site_has_the_labs_in_their_order():
    nav = yaml.load((documents.ROOT / "mkdocs.yml").read_text(), yaml.BaseLoader)["nav"]
    pages = next(item["Labs"] for item in nav if "Labs" in item)
    assert pages == ["labs/index.md", *(f"labs/{name}.md" for name in labs.COURSE)]
    assert labs.overview().count("\n") == len(labs.COURSE) + 1


def test_a_cell_and_its_outputs_become_markdown():
    cell = nbformat.v4.new_code_cell("print(1)")
    picture = {"image/png": base64.b64encode(b"pixels").decode()}
    cell.outputs = [
        nbformat.v4.new_output("stream", name="stderr", text="50 %"),
        nbformat.v4.new_output("stream", name="stdout", text="1\n"),
        nbformat.v4.new_output("display_data", data=picture, metadata={"image/png": {"alt": "A curve"}}),
        nbformat.v4.new_output("execute_result", data={"text/plain": "7"}),
        nbformat.v4.new_output("execute_result", data={"text/plain": "None"}),
    ]
    text = "See [how](../docs/how/verify.md), [a file](../examples/thermostat.py).\n\n<details>\n\nyes\n\n</details>"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text), cell])
    page, pictures = labs.markdown(notebook, "lab")
    assert pictures == {"labs/lab_1.png": b"pixels"}
    assert page == (
        "See [how](../how/verify.md), [a file](../../examples/thermostat.py).\n\n"
        '<details markdown="1">\n\nyes\n\n</details>\n\n'
        "```python\nprint(1)\n```\n\n```text\n1\n```\n\n![A curve](lab_1.png)\n\n```text\n7\n```\n"
    )


def test_colab_is_offered_where_the_project_has_an_address():
    assert "Colab" not in labs.page("firmware")[0]
    assert labs.published("firmware", "", "1.2.3") == nbformat.writes(labs.read("firmware"))
    page, _ = labs.page("firmware", "someone/edgerl")
    assert "(https://colab.research.google.com/github/someone/edgerl/blob/gh-pages/notebooks/firmware.ipynb)" in page
    cells = nbformat.reads(labs.published("firmware", "someone/edgerl", "1.2.3"), as_version=4).cells
    assert [cell.source for cell in cells if "pip install" in cell.source] == [
        '%pip install --quiet "edgerl[export] @ '
        'https://github.com/someone/edgerl/releases/download/v1.2.3/edgerl-1.2.3-py3-none-any.whl"'
    ]
