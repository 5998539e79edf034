"""The code blocks of the documentation's pages, and how they are run: as a reader would, in one folder a page."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.S | re.M)


@dataclasses.dataclass(frozen=True)
class Block:
    """A code block.

    Attributes:
      kind: "python" and "sh" are run; "console" is run, too, and says what a command answers; "bash" needs a board,
        data or hours, so that only its commands' form is checked. Other kinds are no code that a reader runs.
      text: what it holds.
    """

    kind: str
    text: str


def pages() -> list[Path]:
    """README and every page of `docs`."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """In the order in which they stand on the page."""
    return [Block(kind, text) for kind, text in _BLOCK.findall(page.read_text())]


def name(page: Path) -> str:
    """Of a page, as tests are called by it."""
    return page.relative_to(ROOT).as_posix()


def run(block: Block, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a block in a folder that has `examples`; the answer's output and errors are one text."""
    if not (folder / "examples").exists():
        (folder / "examples").symlink_to(ROOT / "examples")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-c", block.text] if block.kind == "python" else ["bash", "-euc", block.text]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path}, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def commands(block: Block) -> list[str]:
    """Its command lines, without remarks; a line that ends with a backslash goes on."""
    lines = [re.sub(r"(^|\s)#.*", "", line) for line in block.text.replace("\\\n", " ").splitlines()]
    return [line.strip() for line in lines if line.strip()]
