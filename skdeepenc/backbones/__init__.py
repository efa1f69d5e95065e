"""ONNX graphs: what they hold, how they are cut and run."""

from skdeepenc.backbones.backbone import Backbone
from skdeepenc.backbones.describing.catalogue import fetch_model, list_models
from skdeepenc.backbones.describing.metadata import read_spec, write_spec
from skdeepenc.backbones.describing.spec import ModelSpec
from skdeepenc.backbones.layers import LayerInfo
from skdeepenc.backbones.pytorch.from_torch import from_torch

__all__ = [
    "Backbone",
    "LayerInfo",
    "ModelSpec",
    "fetch_model",
    "from_torch",
    "list_models",
    "read_spec",
    "write_spec",
]
