"""MkDocs hooks: a line `<!-- made: NAME -->` in a page becomes what the program or the results say, and links from a
page to files of the repository that are no pages become links to copies of them in the site."""

import posixpath
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # MkDocs loads a hook as a file, without its package

from mkdocs.structure.files import File, Files

from documentation import program, results

ROOT = Path(__file__).parents[2]
_MADE = re.compile(r"^<!-- made: ([\w ]+) -->$", re.M)
_LINK = re.compile(r"\]\(([^)#:]+)\)")
# Files outside of `docs` that pages link to, as they stand. The others that a page names must be pages.
_COPIED = ("examples/*", "notebooks/*.ipynb", "LICENSE")


def on_files(files: Files, config: Any) -> Files:
    """Adds the copied files to the site."""
    for path in (path for pattern in _COPIED for path in sorted(ROOT.glob(pattern)) if path.is_file()):
        place = path.relative_to(ROOT).as_posix()
        name = place if path.suffix in (".py", ".yaml", ".ipynb") else f"{place}.txt"
        files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fills in what is made, and turns links that leave `docs` into links within the site."""
    folder = posixpath.dirname(page.file.src_uri)

    def within(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join("docs", folder, found[1]))
        if target.startswith("docs/"):
            return found[0]
        name = f"{target}.txt" if target == "LICENSE" else target
        return f"]({posixpath.relpath(name, folder or '.')})"

    return _LINK.sub(within, _MADE.sub(lambda found: made(found[1]), markdown))


def made(name: str) -> str:
    """The Markdown of one such line.

    Args:
      name: "commands", "configuration", "environments", or "results NAME" for a file of `docs/results`.
    Raises:
      KeyError: nothing makes that.
    """
    if name.startswith("results "):
        return results.table(name.removeprefix("results "))
    makers = {
        "commands": program.commands,
        "configuration": program.configuration,
        "environments": program.environments,
    }
    return makers[name]()
