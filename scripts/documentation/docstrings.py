"""The house's docstrings as mkdocstrings reads them: it wants an empty line before a section, we write none."""

import re
from typing import Any

import griffe

_SECTION = re.compile(r"\n+(?=(?:Args|Attributes|Returns|Raises|Example):\n)")


class Sections(griffe.Extension):
    """Puts an empty line before each section of a docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for every module, class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = _SECTION.sub("\n\n", obj.docstring.value)
