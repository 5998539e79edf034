"""MkDocs hooks: `<!-- made: NAME -->` on a line of its own becomes what the program or the results say, and
`<!-- included: FILE -->` a file of the repository; links to files that are no pages lead to copies of them there; the
labs become pages, and the zoo's exports are offered for download."""

import posixpath
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # MkDocs loads a hook as a file, without its package

from mkdocs.structure.files import File, Files

import edgerl
from documentation import labs, program, results, zoo

ROOT = Path(__file__).parents[2]
_MADE = re.compile(r"^<!-- made: ([\w ]+) -->$", re.M)
_INCLUDED = re.compile(r"^<!-- included: (\S+) -->$", re.M)
_LINK = re.compile(r"\]\(([^)#:]+)(?=[)#])")
# Files outside of `docs` that pages link to, as they stand. The others that a page names must be pages.
_COPIED = ("examples/*", "LICENSE", "zoo/*/report.json", "zoo/*/demo/index.html")


def on_files(files: Files, config: Any) -> Files:
    """Adds the copied files, the labs and the zoo to the site."""
    project = config.extra["colab"]
    for lab in labs.COURSE:
        text, pictures = labs.page(lab, project)
        notebook = labs.published(lab, project, edgerl.__version__)
        files.append(File.generated(config, f"labs/{lab}.md", content=text))
        files.append(File.generated(config, f"notebooks/{lab}.ipynb", content=notebook))
        for name, picture in pictures.items():
            files.append(File.generated(config, name, content=picture))
    for name in zoo.names():
        files.append(File.generated(config, f"zoo/{name}.zip", content=zoo.packed(name)))
    for path in (path for pattern in _COPIED for path in sorted(ROOT.glob(pattern)) if path.is_file()):
        place = path.relative_to(ROOT).as_posix()
        name = place if path.suffix in (".py", ".yaml", ".json", ".html") else f"{place}.txt"
        files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fills in what is made or included, and turns links that leave `docs` into links within the site."""
    place = page.file.src_uri

    def included(found: re.Match[str]) -> str:
        return _linked((ROOT / found[1]).read_text(), found[1], place)

    text = _linked(markdown, f"docs/{place}", place)
    return _MADE.sub(lambda found: made(found[1]), _INCLUDED.sub(included, text))


def _linked(markdown: str, written: str, place: str) -> str:
    """The text of a file of the repository with its links as they must be on the page at `place` below `docs`."""

    def within(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(written), found[1]))
        target = f"docs/{target}.txt" if target == "LICENSE" else target
        return f"]({posixpath.relpath(target.removeprefix('docs/'), posixpath.dirname(place) or '.')}"

    return _LINK.sub(within, markdown)


def made(name: str) -> str:
    """The Markdown of one such line.

    Args:
      name: "commands", "configuration", "environments", "labs", "zoo", or "results NAME" for a file of `docs/results`.
    Raises:
      KeyError: nothing makes that.
    """
    if name.startswith("results "):
        return results.table(name.removeprefix("results "))
    makers = {
        "commands": program.commands,
        "configuration": program.configuration,
        "environments": program.environments,
        "labs": labs.overview,
        "zoo": zoo.table,
    }
    return makers[name]()
