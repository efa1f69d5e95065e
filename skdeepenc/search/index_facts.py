"""What an index says of itself, in a line and in a notebook."""

import os
from html import escape
from pathlib import Path

from skdeepenc.search.snapshot import Snapshot

__all__ = ["as_html", "as_line"]


def as_line(folder: Path, snapshot: Snapshot) -> str:
    """Return the facts of an index in one line."""
    rows = ", ".join(f"{name} {value}" for name, value in _facts_of(snapshot).items())
    return f"ImageIndex({os.fspath(folder)!r}: {rows})"


def as_html(folder: Path, snapshot: Snapshot) -> str:
    """Return the facts of an index as a small table."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in {"folder": os.fspath(folder), **_facts_of(snapshot)}.items()
    )
    return f"<table><caption>ImageIndex</caption>{rows}</table>"


def _facts_of(snapshot):
    manifest = snapshot.manifest
    found = manifest.neighbors
    return {
        "images": f"{len(snapshot):,}",
        "failures": f"{manifest.n_failures:,}",
        "values per image": f"{manifest.n_features:,}",
        "search": f"finds {found.recall:.1%} of the first 10" if found else "exact",
        "encoder": manifest.encoder,
        "written by": f"skdeepenc {manifest.version}",
    }
