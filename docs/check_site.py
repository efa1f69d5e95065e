"""Say which links of a built site lead nowhere, and what its pages load from elsewhere.

    python docs/check_site.py docs/_build/html

Sphinx warns of references that it cannot resolve, but not of addresses and anchors that a page
wrote itself, and it does not care where scripts, styles, fonts and images come from.
"""

import re
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser fetches without being asked. A link is only followed by a reader.
_LOADED = {"script": "src", "img": "src", "source": "src", "iframe": "src", "image": "href"}
_LOADED_RELATIONS = {"stylesheet", "preload", "icon", "preconnect", "dns-prefetch"}
_STYLE_ADDRESS = re.compile(r"(?:url\(|@import)\s*[\"']?(https?:)?//[^\"')]+")


@dataclass
class Page(HTMLParser):
    """The anchors of a page, its links, and what it loads."""

    path: Path
    anchors: set = field(default_factory=set)
    links: list = field(default_factory=list)
    loaded: list = field(default_factory=list)

    def __post_init__(self):
        super().__init__()
        self.feed(self.path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        """Note what an element is called, and where it leads."""
        attributes = {name: value or "" for name, value in attrs}
        self.anchors.update(attributes[name] for name in ("id", "name") if name in attributes)
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
        if tag == "link" and _LOADED_RELATIONS & set(attributes.get("rel", "").split()):
            self.loaded.append(attributes["href"])
        if tag in _LOADED and _LOADED[tag] in attributes:
            self.loaded.append(attributes[_LOADED[tag]])


def problems(site):
    """Yield a sentence for each link that leads nowhere, and each address that is loaded."""
    paths = sorted(path for path in site.rglob("*.html") if "_static" not in path.parts)
    pages = {path: Page(path) for path in paths}
    for page in pages.values():
        where = page.path.relative_to(site)
        for address in [*page.links, *page.loaded]:
            if not _is_elsewhere(address) and (fault := _fault(address, page, pages, site)):
                yield f"{where}: {address} {fault}"
        yield from (f"{where} loads {address}" for address in page.loaded if _is_elsewhere(address))
    for path in sorted(site.rglob("*.css")):
        for match in _STYLE_ADDRESS.finditer(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(site)} loads {match[0]}"


def _is_elsewhere(address):
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme in {"http", "https"}


def _fault(address, page, pages, site):
    """Return what is wrong with an address inside the site, or None."""
    parts = urlsplit(address)
    if parts.scheme:  # mail, and pictures that are in the page
        return None
    target = page.path
    if parts.path:
        target = (page.path.parent / unquote(parts.path)).resolve()
        target = target / "index.html" if target.is_dir() else target
    if not target.is_relative_to(site) or not target.is_file():
        return "is not there"
    is_anchor = parts.fragment and target in pages
    if is_anchor and unquote(parts.fragment) not in pages[target].anchors:
        return "names an anchor that is not there"
    return None


def main():
    """Check the site in the folder that the command names; return 1 where something is wrong."""
    found = list(problems(Path(sys.argv[1]).resolve()))
    print("\n".join(found) or "Every link inside the site leads somewhere; nothing else is loaded.")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
