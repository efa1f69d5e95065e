"""Fitted pipelines as ONNX graphs: a small writer, and one converter a file.

`registry` says how a converter is written, `writer` what it is written with.
"""

from skdeepenc.export import converters as converters
from skdeepenc.export.onnx_encoder import OnnxEncoder
from skdeepenc.export.onnx_file import to_onnx, verify
from skdeepenc.export.onnx_pipeline import OnnxPipeline
from skdeepenc.export.registry import register

__all__ = ["OnnxEncoder", "OnnxPipeline", "register", "to_onnx", "verify"]
