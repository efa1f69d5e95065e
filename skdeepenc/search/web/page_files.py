"""What the page consists of, served or published."""

from importlib.resources import files

__all__ = ["PAGE_FILES", "page_file"]

_SCRIPTS = ("page.js", "views.js", "grid.js", "box.js", "reasons.js", "source.js")

#: The kinds of the files, by their names.
PAGE_FILES = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    **dict.fromkeys(_SCRIPTS, "text/javascript; charset=utf-8"),
}


def page_file(name: str) -> str:
    """Return the content of a file of the page."""
    return files("skdeepenc.search.web").joinpath("static", name).read_text(encoding="utf-8")
