"""ONNX graphs: what they hold, how they are cut and run."""

from skdeepenc.backbones.backbone import Backbone
from skdeepenc.backbones.catalogue import catalogue, fetch
from skdeepenc.backbones.layers import LayerInfo
from skdeepenc.backbones.spec import ModelSpec, read_spec, write_spec

__all__ = ["Backbone", "LayerInfo", "ModelSpec", "catalogue", "fetch", "read_spec", "write_spec"]
