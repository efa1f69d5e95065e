"""Graphs that onnxruntime optimised for one processor, with channels in blocks, are read."""

import numpy as np
import onnxruntime
import pytest
from numpy.testing import assert_allclose
from onnx import helper

from skdeepenc.backbones import Backbone, ModelSpec
from skdeepenc.backbones.anatomy.blocked import find_blocked
from skdeepenc.backbones.transformers.shape_walk import ShapeWalk

node = helper.make_node
DOMAIN = "com.microsoft.nchwc"
RNG = np.random.default_rng(0)
KERNEL = RNG.normal(size=(5, 3, 3, 3)).astype(np.float32)


def blocked_model(make_model, *, channels_last=0):
    nodes = [
        node("Conv", ["pixels", "w"], ["blocks"], domain=DOMAIN, strides=[2, 2], activation="Relu"),
        node("MaxPool", ["blocks"], ["pool"], domain=DOMAIN, kernel_shape=[2, 2], strides=[2, 2]),
        node(
            "ReorderOutput", ["pool"], ["plain"], domain=DOMAIN, channels=5,
            channels_last=channels_last,
        ),
        node("Relu", ["plain"], ["out"]),
    ]  # fmt: skip
    model = make_model(nodes, {"w": KERNEL}, ("n", 3, 33, 21))
    model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    return model


def test_channels_are_counted_without_what_fills_the_blocks(make_model):
    shapes = {"blocks": (1, 8, 16, 10), "pool": (1, 8, 8, 5), "plain": (1, 5, 8, 5)}
    assert find_blocked(blocked_model(make_model), shapes) == {"blocks": 5, "pool": 5}


def test_blocks_without_a_known_shape_are_left_out(make_model):
    assert find_blocked(blocked_model(make_model), {}) == {}


@pytest.mark.parametrize(("last", "shape"), [(0, (2, 5, 8, 5)), (1, (2, 8, 5, 5))])
def test_sizes_are_followed_through_blocks(last, shape, make_model):
    model = blocked_model(make_model, channels_last=last)
    walk = ShapeWalk(model, (2, 3, 33, 21)).run(model.graph.node)
    assert walk.shape("blocks") == (2, 5, 16, 10)
    assert walk.shape("out") == shape


def test_layers_in_blocks_equal_those_of_the_graph_before(make_model, tmp_path, pixels):
    plain = make_model(
        [
            node("Conv", ["pixels", "w"], ["conv"]),
            node("MaxPool", ["conv"], ["pool"], kernel_shape=[2, 2], strides=[2, 2]),
            node("Conv", ["pool", "v"], ["second"]),
        ],
        {"w": KERNEL, "v": RNG.normal(size=(20, 5, 3, 3)).astype(np.float32)},
        ("n", 3, 20, 20),
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    onnxruntime.InferenceSession(
        plain.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    spec, images = ModelSpec("m", ("pool", "second"), 20), pixels(2, 20, 20)
    expected = Backbone(plain.SerializeToString(), spec=spec).run(images)
    found = Backbone(tmp_path / "optimised.onnx", spec=spec).run(images)
    for layer in spec.layers:
        assert_allclose(found[layer], expected[layer], atol=1e-4)
