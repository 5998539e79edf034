"""Checks a built site without a network: every link leads to a file and an anchor that are there, and no page fetches
anything from elsewhere. Prints what is wrong and returns 1.

    python -m documentation.links site
"""

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser fetches by itself: it must be part of the site. A link in `<a>` may lead anywhere.
_FETCHED = {"img": "src", "script": "src", "link": "href", "source": "src", "video": "src", "iframe": "src"}
_NOT_FETCHED = {"canonical", "next", "prev", "edit", "alternate"}


class _Page(HTMLParser):
    """The links and anchors of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = {""}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes what one element links to, fetches and is called."""
        values = {name: value for name, value in attrs if value is not None}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag in _FETCHED and _FETCHED[tag] in values and values.get("rel") not in _NOT_FETCHED:
            self.fetched.append(values[_FETCHED[tag]])


def problems(site: Path) -> Iterator[str]:
    """A line for every link that leads nowhere, and for everything that is fetched from elsewhere."""
    pages = {path: _Page(path.read_text()) for path in sorted(site.rglob("*.html")) if path.name != "404.html"}
    for path, page in pages.items():
        place = path.relative_to(site)
        for link in page.fetched:
            if urlsplit(link).scheme not in ("", "data") or link.startswith("//"):
                yield f"{place}: fetches {link} from elsewhere"
        for link in page.links + page.fetched:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file() or not target.is_relative_to(site.resolve()):
                yield f"{place}: {link}: there is no such file"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{place}: {link}: there is no such place in it"


def main(arguments: list[str]) -> int:
    """Prints the problems of the site in `arguments`; 1 if there are any."""
    site = Path(arguments[0]).resolve()
    found = list(problems(site))
    print("\n".join(found) or f"{len(list(site.rglob('*.html')))} pages: every link leads somewhere")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
