"""The gallery's examples are short, say why one would do this, and lead on to the guide.

That they run is shown by the build of the documentation, which takes warnings for errors.
"""

import ast
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
EXAMPLES = sorted((DOCS / "examples").rglob("plot_*.py"))
MOST_LINES = 40
CODE = re.compile(r"^ *[^ #\n]", re.MULTILINE)


def parts(example):
    """Return the docstring of an example and what follows it."""
    text = example.read_text(encoding="utf-8")
    end = ast.parse(text).body[0].end_lineno
    lines = text.splitlines()
    return ast.get_docstring(ast.parse(text)), "\n".join(lines[end:])


def test_there_are_as_many_examples_as_were_promised():
    assert len(EXAMPLES) >= 15


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples_have_a_title_a_reason_and_a_page_of_the_guide(example):
    docstring, _ = parts(example)
    title, line, rest = docstring.split("\n", 2)
    assert line == "=" * len(title)
    assert re.search(r"\.\s", rest)
    pages = re.findall(r":doc:`/(.*?)`", docstring)
    assert pages
    assert all((DOCS / f"{page}.md").exists() for page in pages)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_short_and_draw(example):
    _, code = parts(example)
    assert len(CODE.findall(code)) < MOST_LINES
    assert "plt.subplot" in code or "Display.from_" in code


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_figures_have_captions(example):
    _, code = parts(example)
    after = code.rpartition("# %%\n")[2]
    assert after
    assert not CODE.search(after)
