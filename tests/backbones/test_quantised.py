"""Quantised graphs give values, not codes, and images do not depend on their neighbours."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from onnx import helper
from onnx.reference import ReferenceEvaluator

from skdeepenc.backbones import Backbone, ModelSpec
from skdeepenc.exceptions import LayerNotFoundError

node = helper.make_node
RNG = np.random.default_rng(0)
FILTERS = RNG.integers(-100, 100, (4, 3, 3, 3)).astype(np.int8)


def scales(**values):
    return {name: np.float32(value) for name, value in values.items()}


@pytest.fixture(scope="module")
def integer_operators(make_model):
    """A convolution of codes, moved codes, and a head: as a static quantiser writes them."""
    nodes = [
        node("QuantizeLinear", ["pixels", "sx", "zx"], ["x"]),
        node("QLinearConv", ["x", "sx", "zx", "w", "sw", "zw", "sy", "zy"], ["conv"]),
        node("MaxPool", ["conv"], ["pool"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Transpose", ["pool"], ["last"], perm=[0, 2, 3, 1]),
        node("DequantizeLinear", ["last", "sy", "zy"], ["values"]),
        node("ReduceMean", ["values", "grid"], ["mean"], keepdims=0),
    ]
    weights = {"w": FILTERS, "zw": np.int8(0), "zx": np.uint8(128), "zy": np.uint8(120)}
    weights |= scales(sx=0.03, sw=0.01, sy=0.06)
    weights["grid"] = np.array([1, 2])
    return make_model(nodes, weights, ("n", 3, 10, 10), output=("mean", 2), opset=19)


@pytest.mark.parametrize("layer", ["conv", "pool", "last"])
def test_codes_come_out_as_values(layer, integer_operators, pixels):
    images = pixels(2, 10, 10)
    spec = ModelSpec("m", (layer,), 10)
    maps = Backbone(integer_operators.SerializeToString(), spec=spec).run(images)[layer]
    (codes,) = ReferenceEvaluator(integer_operators).run([layer], {"pixels": images})
    codes = codes if layer == "last" else codes.transpose(0, 2, 3, 1)
    # The evaluator rounds halves in another way than the runtime: a code here and there differs.
    assert_allclose(maps, np.float32(0.06) * (codes.astype(np.float32) - 120), atol=0.0601)
    assert np.mean(np.abs(maps - np.float32(0.06) * (codes - 120.0)) > 1e-4) < 0.05


def test_the_head_of_a_quantised_graph_is_read(integer_operators):
    backbone = Backbone(integer_operators.SerializeToString(), spec=ModelSpec("m", (), 10))
    assert backbone.layers == ("values",)


def test_values_of_codes_can_be_projected(integer_operators, pixels):
    images, content = pixels(2, 10, 10), integer_operators.SerializeToString()
    mean, components = RNG.normal(size=4), RNG.normal(size=(2, 4))
    spec = ModelSpec("m", ("conv",), 10)
    folded = Backbone(content, spec=spec, projections={"conv": (mean, components)})
    plain = Backbone(content, spec=spec).run(images)["conv"]
    assert_allclose(folded.run(images)["conv"], (plain - mean) @ components.T, atol=1e-4)


@pytest.fixture(scope="module")
def dynamic(make_model):
    """A convolution whose scale is taken from what comes in."""
    nodes = [
        node("DynamicQuantizeLinear", ["pixels"], ["codes", "scale", "zero"]),
        node("ConvInteger", ["codes", "w", "zero"], ["sums"]),
        node("Cast", ["sums"], ["real"], to=1),
        node("Mul", ["scale", "sw"], ["step"]),
        node("Mul", ["real", "step"], ["map"]),
    ]
    weights = {"w": FILTERS} | scales(sw=0.01)
    return make_model(nodes, weights).SerializeToString()


def test_a_dim_image_is_not_disturbed_by_a_bright_one(dynamic, pixels):
    images = pixels(2, 8, 8) * np.array([1, 50], np.float32)[:, None, None, None]
    backbone = Backbone(dynamic, spec=ModelSpec("m", ("map",), 8))
    together = backbone.run(images)["map"]
    assert_allclose(together[:1], backbone.run(images[:1])["map"], rtol=1e-6)


def test_sums_of_integers_are_refused_by_name(dynamic):
    with pytest.raises(LayerNotFoundError, match=r"'sums'.*whole numbers"):
        _ = Backbone(dynamic, spec=ModelSpec("m", ("sums",), 8)).layers
