"""The house's docstrings as mkdocstrings reads them: it wants an empty line before a section, a line for each
name, and "Examples", and has none of them here."""

import re
from typing import Any

import griffe

_SECTION = re.compile(r"\n+(?=(?:Args|Attributes|Returns|Raises|Example):\n)")
_TOGETHER = re.compile(r"^  (\w+), (\w+):(?= )", re.M)  # two names that one line describes


class Sections(griffe.Extension):
    """Puts an empty line before each section of a docstring, and parts two names that share a line."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for every module, class, function and attribute."""
        if obj.docstring is not None:
            text = _SECTION.sub("\n\n", obj.docstring.value).replace("\nExample:\n", "\nExamples:\n")
            obj.docstring.value = _TOGETHER.sub(r"  \1: see `\2`.\n  \2:", text)
