"""ONNX graphs: what they hold, how they are cut and run."""

from skdeepenc.backbones.backbone import Backbone
from skdeepenc.backbones.catalogue import fetch_model, list_models
from skdeepenc.backbones.from_torch import from_torch
from skdeepenc.backbones.layers import LayerInfo
from skdeepenc.backbones.metadata import read_spec, write_spec
from skdeepenc.backbones.spec import ModelSpec

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
