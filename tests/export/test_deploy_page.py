"""The page about deployment runs from top to bottom."""

import re
from pathlib import Path

from skdeepenc.export import registry

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "deploy.md"


def test_the_code_of_the_page_runs(monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "_CONVERTERS", dict(registry._CONVERTERS))
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 5
    exec(compile("\n".join(blocks), str(PAGE), "exec"), {})
    graphs = {"encoder.onnx", "scenes.onnx"}
    beside = {f"{name}.json" for name in graphs}
    assert {path.name for path in tmp_path.iterdir()} == graphs | beside
