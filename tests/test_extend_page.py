"""The page that says how to add an encoder runs from top to bottom."""

import re
import sys
from pathlib import Path
from types import ModuleType

PAGE = Path(__file__).parents[1] / "docs" / "extend.md"


def test_the_code_of_the_page_runs(monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 4
    module = ModuleType("extend")  # checks pickle the encoder: its module must be found
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile("\n".join(blocks), str(PAGE), "exec"), module.__dict__)
