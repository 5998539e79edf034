"""The labs: notebooks that are stored without outputs, executed, and as pages of the site with what their cells print.

    PYTHONPATH=scripts python -m documentation.labs

executes those whose page in `build/labs` is missing or older than the notebook or the package; a few minutes in all. A
site that is built without it shows the cells alone.
"""

import base64
import copy
import hashlib
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "build" / "labs"
COURSE = (
    "cartpole_lab",
    "own_environment",
    "firmware",
    "early_exit",
    "promise_and_stream",
    "latent_nas",
    "agent_vit",
)  # in this order
LIMIT = 400  # seconds of a cell, on a busy machine

_ABOUT = re.compile(r"^\*\*(Aim|Time|You need)\.?\*\*(.*?)(?=\n\n|\Z)", re.M | re.S)
_PICTURES = {"image/png": "png", "image/gif": "gif"}
_NOT_RUN = "*The cells of this page were not run when the site was built; `scripts/docs` runs them.*"


def path_of(name: str) -> Path:
    """The notebook of a lab."""
    return ROOT / "notebooks" / f"{name}.ipynb"


def read(name: str) -> Any:
    """A lab as it is stored."""
    return nbformat.read(path_of(name), as_version=4)


def about(notebook: Any) -> dict[str, str]:
    """What the first cell says: "title", "Aim", "Time", "You need"."""
    text = notebook.cells[0].source
    found = {key: _sentence(" ".join(said.split())) for key, said in _ABOUT.findall(text)}
    return {"title": text.partition("\n")[0].removeprefix("# "), **found}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def executed(notebook: Any, folder: str | Path) -> Any:
    """The notebook with its outputs, run in a folder.

    Raises:
      nbclient.exceptions.CellExecutionError: a cell fails.
    """
    from nbclient import NotebookClient

    options = {"timeout": LIMIT, "kernel_name": "python3", "resources": {"metadata": {"path": str(folder)}}}
    return NotebookClient(copy.deepcopy(notebook), **options).execute()


def overview() -> str:
    """The Markdown of the table of all labs."""
    lines = ["| lab | aim | time | you need |", "|---|---|---|---|"]
    for name in COURSE:
        said = about(read(name))
        lines.append(f"| [{said['title']}]({name}.md) | {said['Aim']} | {said['Time']} | {said['You need']} |")
    return "\n".join(lines)


def page(name: str, project: str = "") -> tuple[str, dict[str, bytes]]:
    """A lab's Markdown page, and its pictures by their paths within the site.

    Args:
      name: of the notebook.
      project: see `colab`; empty: no link to Colab.
    """
    notebook, run = read(name), PAGES / f"{name}.ipynb"
    stamped = run.is_file() and (PAGES / f"{name}.stamp").read_text() == _stamp(name)
    text, pictures = markdown(nbformat.read(run, as_version=4) if stamped else notebook, name)
    links = f"[Download the notebook](../notebooks/{name}.ipynb){{ .md-button }}"
    if project:
        links += f"\n[Open it in Colab]({colab(name, project)}){{ .md-button }}"
    title, _, rest = text.partition("\n")
    return "\n".join([title, "", links, "", *([] if stamped else [_NOT_RUN]), rest]), pictures


def markdown(notebook: Any, name: str) -> tuple[str, dict[str, bytes]]:
    """Cells and their outputs as Markdown, for a page in `labs`, and the pictures among them."""
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text = cell.source.replace("<details>", '<details markdown="1">')
            text = re.sub(r"\]\(\.\./(?!docs/)", "](../../", text)
            parts.append(text.replace("](../docs/", "](../"))
            continue
        parts.append(_fenced("python", cell.source))
        for output in _joined(cell.get("outputs", ())):
            place = f"labs/{name}_{len(pictures) + 1}"
            parts += _shown(output, place, pictures)
    return "\n\n".join(parts) + "\n", pictures


def _joined(outputs: Iterable[Any]) -> list[Any]:
    """The outputs without progress bars, which go to standard error; texts printed one after the other are one."""
    found: list[Any] = []
    for output in outputs:
        if found and output.output_type == found[-1].output_type == "stream" and output.name == found[-1].name:
            found[-1] = nbformat.from_dict({**found[-1], "text": found[-1].text + output.text})
        elif (output.output_type, output.get("name")) != ("stream", "stderr"):
            found.append(output)
    return found


def _shown(output: Any, place: str, pictures: dict[str, bytes]) -> list[str]:
    """One output: what was printed, a picture, or a value's text."""
    if output.output_type == "stream":
        return [_fenced("text", output.text.rstrip("\n"))]
    data = output.get("data", {})
    for kind, suffix in _PICTURES.items():
        if kind in data:
            pictures[f"{place}.{suffix}"] = base64.b64decode(data[kind])
            alt = output.metadata.get(kind, {}).get("alt", "A picture that the cell draws")
            return [f"![{alt}]({Path(place).name}.{suffix})"]
    return [_fenced("text", data["text/plain"])] if data.get("text/plain", "None") != "None" else []


def _fenced(kind: str, text: str) -> str:
    return f"```{kind}\n{text}\n```"


def colab(name: str, project: str) -> str:
    """Where Colab opens a lab.

    Args:
      name: of the notebook.
      project: "OWNER/NAME" on GitHub, whose branch `gh-pages` has the site, and whose releases have the wheel.
    """
    return f"https://colab.research.google.com/github/{project}/blob/gh-pages/notebooks/{name}.ipynb"


def published(name: str, project: str, version: str) -> str:
    """The notebook that the site offers: as it is stored, and for Colab with a first cell that installs the wheel."""
    notebook = read(name)
    if project:
        wheel = f"https://github.com/{project}/releases/download/v{version}/edgerl-{version}-py3-none-any.whl"
        cell = nbformat.v4.new_code_cell(f'%pip install --quiet "edgerl[export] @ {wheel}"', id="install")
        notebook.cells.insert(1, cell)
    return nbformat.writes(notebook)


def _stamp(name: str) -> str:
    """Changes with the notebook and with every file of the package."""
    made = hashlib.sha256(path_of(name).read_bytes())
    for path in sorted((ROOT / "edgerl").rglob("*")):
        if path.is_file() and path.suffix not in (".pyc", ".npz"):
            made.update(path.read_bytes())
    return made.hexdigest()


def main() -> None:
    """Executes the labs that are out of date, and says how long each took."""
    PAGES.mkdir(parents=True, exist_ok=True)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])  # for the kernels
    for name in COURSE:
        run, stamp = PAGES / f"{name}.ipynb", PAGES / f"{name}.stamp"
        if stamp.is_file() and run.is_file() and stamp.read_text() == _stamp(name):
            continue
        started, key = time.perf_counter(), _stamp(name)
        with tempfile.TemporaryDirectory() as folder:
            nbformat.write(executed(read(name), folder), run)
        stamp.write_text(key)
        print(f"{name}: executed in {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
