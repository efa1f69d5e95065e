"""The page on papers names what exists, and says what the tables that it includes say."""

import importlib
import json
import re
from pathlib import Path

import pytest

from skdeepenc.reproduction import PAPERS

ROOT = Path(__file__).parents[2]
TABLES = sorted((ROOT / "docs" / "reproduced").glob("*/*.json"))


@pytest.fixture(scope="module")
def page():
    return (ROOT / "docs" / "papers.md").read_text(encoding="utf-8")


def test_functions_exist(page):
    names = re.findall(r"\{(?:func|class|meth)\}`~?(skdeepenc\.[\w.]+)`", page)
    assert len(names) > 20
    for name in names:
        parts = name.split(".")
        found = importlib.import_module(".".join(parts[:2]))
        for part in parts[2:]:
            found = getattr(found, part)


def test_tests_exist(page):
    names = re.findall(r"`(\w+/test_\w+\.py)`", page)
    assert len(names) > 20
    assert [name for name in names if not (ROOT / "tests" / name).is_file()] == []


def test_every_table_is_included(page):
    for path in TABLES:
        assert f"reproduced/{path.parent.name}/{path.stem}.md" in page


@pytest.mark.parametrize("path", TABLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_summary_says_what_was_measured(page, path):
    table = json.loads(path.read_text(encoding="utf-8"))
    claims = [claim.text for claim in PAPERS[path.stem].claims]
    assert [claim["claim"] for claim in table["claims"]] == claims
    for claim in table["claims"]:
        low, high = claim["interval"]
        cell = f"{claim['verdict']}, {claim['difference']:+.1f} ({low:+.1f} to {high:+.1f})"
        assert re.search(rf"^\| {re.escape(claim['claim'])} \|.*{re.escape(cell)}", page, re.M)
