"""The conda recipe asks for what `pyproject.toml` asks for, and builds the same version."""

import re
import tomllib
from pathlib import Path

import pytest

import skdeepenc

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / ".conda" / "recipe.yaml"
if not RECIPE.exists():
    pytest.skip("a source distribution has no recipe", allow_module_level=True)
TEXT = RECIPE.read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_it_asks_for_the_same_packages():
    run = re.search(r"^  run:\n(.*?)\n\n", TEXT, re.DOTALL | re.MULTILINE)[1]
    asked = set(re.findall(r"- (\S+ >=[\d.]+)$", run, re.MULTILINE))
    wanted = {
        requirement.replace("onnxruntime-gpu", "onnxruntime").partition(";")[0].replace(">=", " >=")
        for requirement in PROJECT["dependencies"]
    }
    assert asked == {text.strip() for text in wanted}


def test_it_builds_this_version_for_the_same_pythons():
    assert f"  version: {skdeepenc.__version__}\n" in TEXT
    assert f'  python_min: "{PROJECT["requires-python"].removeprefix(">=")}"\n' in TEXT
