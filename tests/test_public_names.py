"""The names of the package's stub are there."""

import subprocess
import sys

import pytest

import skdeepenc
import skdeepenc.encoders


@pytest.mark.parametrize("name", skdeepenc.__all__)
def test_every_name_is_there(name):
    assert getattr(skdeepenc, name) is not None


def test_every_encoder_is_a_public_name():
    assert set(skdeepenc.encoders.__all__) <= set(skdeepenc.__all__)


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="attribute MopVlad"):
        skdeepenc.MopVlad  # noqa: B018


def test_encoders_import_without_onnx():
    """Encoders and rankers meet the backbone only through feature maps."""
    code = (
        "import sys; sys.modules['onnx'] = sys.modules['onnxruntime'] = None\n"
        "import skdeepenc.encoders, skdeepenc.retrieval, skdeepenc.testing, skdeepenc.metrics"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
