"""Quantised graphs give values, not codes, and images do not depend on their neighbours."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from onnx import helper
from onnx.reference import ReferenceEvaluator

from skdeepenc.backbones import Backbone, ModelSpec
from skdeepenc.backbones.transformers.shape_walk import ShapeWalk
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
        node("ConvInteger", ["codes", "w", "zero", "zw"], ["sums"]),
        node("Cast", ["sums"], ["real"], to=1),
        node("Mul", ["scale", "sw"], ["step"]),
        node("Mul", ["real", "step"], ["map"]),
    ]
    # Older onnxruntime multiplies codes without a sign alone.
    weights = {"w": (FILTERS.astype(int) + 128).astype(np.uint8), "zw": np.uint8(128)} | scales(
        sw=0.01
    )
    return make_model(nodes, weights).SerializeToString()


def test_a_dim_image_is_not_disturbed_by_a_bright_one(dynamic, pixels):
    images = pixels(2, 8, 8) * np.array([1, 50], np.float32)[:, None, None, None]
    backbone = Backbone(dynamic, spec=ModelSpec("m", ("map",), 8))
    together = backbone.run(images)["map"]
    assert_allclose(together[:1], backbone.run(images[:1])["map"], rtol=1e-6)


def test_sums_of_integers_are_refused_by_name(dynamic):
    with pytest.raises(LayerNotFoundError, match=r"'sums'.*whole numbers"):
        _ = Backbone(dynamic, spec=ModelSpec("m", ("sums",), 8)).layers


def test_products_of_bytes_with_a_sign_do_not_overflow(make_model):
    """On processors without instructions for it, pairs of large products leave 16 bits."""
    nodes = [
        node("QuantizeLinear", ["pixels", "sx", "zx"], ["codes"]),
        node("DequantizeLinear", ["codes", "sx", "zx"], ["x"]),
        node("DequantizeLinear", ["w", "sw", "zw"], ["weights"]),
        node("Conv", ["x", "weights"], ["conv"]),
        node("QuantizeLinear", ["conv", "sy", "zx"], ["conv_codes"]),
        node("DequantizeLinear", ["conv_codes", "sy", "zx"], ["values"]),
    ]
    weights = {"w": np.full((16, 3, 3, 3), 127, np.int8), "zw": np.int8(0), "zx": np.uint8(0)}
    weights |= scales(sx=1 / 255, sw=1 / 127, sy=27 / 255)
    model = make_model(nodes, weights, ("n", 3, 10, 10), output=("values", 4))
    ones = np.ones((1, 3, 10, 10), dtype=np.float32)
    spec = ModelSpec("m", ("values",), 10)
    assert_allclose(Backbone(model.SerializeToString(), spec=spec).run(ones)["values"], 27)


def test_the_sizes_of_tokens_of_codes_are_followed(make_model):
    """A class token before tokens, and a bias first in its sum: as static quantisers write them."""
    codes = ["sy", "zy"]
    nodes = [
        node("QuantizeLinear", ["pixels", *codes], ["x"]),
        node("Reshape", ["x", "rows"], ["tokens"]),
        node(
            "QLinearConcat", [*codes, "class_token", *codes, "tokens", *codes], ["all"], axis=1,
            domain="com.microsoft",
        ),
        node(
            "QLinearAdd", ["bias", *codes, "all", *codes, *codes], ["sum"], domain="com.microsoft"
        ),
    ]  # fmt: skip
    weights = {
        "rows": np.array([0, -1, 12]),
        "class_token": np.zeros((2, 1, 12), np.uint8),
        "bias": np.zeros(12, np.uint8),
        "zy": np.uint8(0),
        **scales(sy=0.1),
    }
    model = make_model(nodes, weights, ("n", 3, 8, 8), output=("sum", 3))
    walk = ShapeWalk(model, (2, 3, 8, 8)).run(model.graph.node)
    assert walk.shape("sum") == (2, 17, 12)
