"""The pages that show how things are done run from top to bottom."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

PAGES = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("page", ["guide/cache", "extend", "guide/journeys", "guide/search"])
def test_the_code_of_the_page_runs(page, monkeypatch):
    if page == "guide/journeys":
        pytest.importorskip("pandas")
    if page == "guide/search":
        pytest.importorskip("pyarrow")
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 4
    module = ModuleType(page)  # checks pickle the encoder: its module must be found
    monkeypatch.setitem(sys.modules, page, module)
    exec(compile("\n".join(blocks), page, "exec"), module.__dict__)
