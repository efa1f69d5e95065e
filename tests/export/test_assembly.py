"""Weights of a graph are filled in, since protobuf copies no tensor of more than 2 GB."""

from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from numpy.testing import assert_array_equal
from onnx import helper, numpy_helper

from skdeepenc.backbones.running.session import run_apart
from skdeepenc.exceptions import ExportError
from skdeepenc.export.grafting import Graft
from skdeepenc.export.writer import GraphWriter

MATRIX = np.arange(300, dtype=np.float32).reshape(3, 100)
X = np.eye(2, 3, dtype=np.float32)


class TooLarge:
    """A tensor that tells what it holds, and is no message that protobuf could copy."""

    def __init__(self, tensor):
        self._tensor = tensor

    def __getattr__(self, name):
        assert name not in ("SerializeToString", "CopyFrom", "ByteSize"), f"{name}: 2 GB at most"
        return getattr(self._tensor, name)


def multiplication(opset=18):
    """A network of one weight."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "multiplication",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["N", 100])],
        [numpy_helper.from_array(MATRIX, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def with_large_weights(model):
    large = [TooLarge(tensor) for tensor in model.graph.initializer]
    graph = SimpleNamespace(input=model.graph.input, node=model.graph.node, initializer=large)
    return SimpleNamespace(opset_import=model.opset_import, graph=graph)


def grafted(model):
    g = GraphWriter()
    (y,) = Graft(g, "network").put("key", lambda: model, g.input("x", np.float32, "ND"), {}, ["y"])
    g.output("out", y, ["N", 100])
    return g.model()


def test_weights_of_an_encoder_are_not_copied():
    g = GraphWriter()
    w = g.add_weight("w", TooLarge(numpy_helper.from_array(MATRIX)))
    g.output("y", g.input("x", np.float32, ["N", 3]) @ w, ["N", 100])
    assert_array_equal(run_apart(g.model().SerializeToString(), X)[0], MATRIX[:2])


def test_weights_of_a_network_are_not_copied():
    model = grafted(with_large_weights(multiplication()))
    assert_array_equal(run_apart(model.SerializeToString(), X)[0], MATRIX[:2])


@pytest.mark.parametrize("opset", [13, 17, 19])
def test_weights_wait_outside_while_a_graph_is_brought_to_our_opset(opset, monkeypatch):
    convert, sizes = onnx.version_converter.convert_version, []

    def noting_the_size(model, target):
        sizes.append(model.ByteSize())
        return convert(model, target)

    monkeypatch.setattr("onnx.version_converter.convert_version", noting_the_size)
    model = grafted(multiplication(opset))
    assert_array_equal(run_apart(model.SerializeToString(), X)[0], MATRIX[:2])
    assert max(sizes) < MATRIX.nbytes


def test_a_graph_that_cannot_be_converted_is_whole_afterwards(monkeypatch):
    def refusing(model, target):
        raise RuntimeError("no adapter")

    monkeypatch.setattr("onnx.version_converter.convert_version", refusing)
    newer = grafted(multiplication(19))
    assert_array_equal(run_apart(newer.SerializeToString(), X)[0], MATRIX[:2])
    with pytest.raises(ExportError, match=r"network is written in opset 13.*no adapter"):
        grafted(multiplication(13))
