"""The package's names are there, are the rooms' own, and are known to type checkers."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skdeepenc


@pytest.mark.parametrize("name", skdeepenc.__all__)
def test_every_name_is_there(name):
    assert getattr(skdeepenc, name) is not None


def test_the_stub_says_the_same():
    stub = Path(skdeepenc.__file__).with_suffix(".pyi")
    lines = ast.parse(stub.read_text(encoding="utf-8")).body
    assert sorted(alias.asname for line in lines for alias in line.names) == sorted(
        skdeepenc.__all__
    )


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'MopVlad'"):
        skdeepenc.MopVlad  # noqa: B018


def test_encoders_import_without_onnx():
    """Encoders and rankers meet the backbone only through feature maps."""
    code = (
        "import sys; sys.modules['onnx'] = sys.modules['onnxruntime'] = None\n"
        "import skdeepenc.encoders, skdeepenc.retrieval, skdeepenc.testing, skdeepenc.metrics"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
