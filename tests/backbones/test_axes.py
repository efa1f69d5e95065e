"""Axes keep their meaning through whatever a graph does to them, or are said to be no layer."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from skdeepenc.backbones import Backbone, ModelSpec
from skdeepenc.backbones.anatomy.axes import (
    CHANNELS,
    COLUMNS,
    ROWS,
    Layout,
    images,
    layout_of,
    regroup,
    sum_of,
    unknown,
    whole,
)
from skdeepenc.backbones.anatomy.examine import examine
from skdeepenc.backbones.graphs.skeleton import without_weights

node = helper.make_node


def layouts_of(model, size):
    return examine(without_weights(model), size).layouts


def transposed(axes, order):
    return tuple(axes[i] for i in order)


def test_windows_come_apart_and_together_again():
    """As Swin cuts its windows: inside them no axis is one of the image, afterwards all are."""
    axes = transposed(images((1, 6, 8, 8)), (0, 2, 3, 1))
    split = transposed(regroup(axes, (1, 2, 4, 2, 4, 6)), (0, 1, 3, 2, 4, 5))
    windows = regroup(split, (4, 16, 6))
    assert layout_of(windows, 1) is None
    back = transposed(regroup(windows, (1, 2, 2, 4, 4, 6)), (0, 1, 3, 2, 4, 5))
    assert regroup(back, (1, 8, 8, 6)) == axes
    assert layout_of(axes, 1) == Layout("map", 3)


def test_a_patch_put_into_channels_leaves_a_coarser_grid():
    """As Swin merges patches, and as a patch embedding without a convolution begins."""
    split = regroup(images((1, 3, 8, 12)), (1, 3, 2, 4, 3, 4))
    patches = regroup(transposed(split, (0, 2, 4, 3, 5, 1)), (1, 6, 48))
    assert layout_of(patches, 1) == Layout("tokens", 2)
    assert regroup(patches, (1, 2, 3, 48)) == ((), whole(ROWS, 2), whole(COLUMNS, 3), patches[2])


@pytest.mark.parametrize("merged", range(4))
@pytest.mark.parametrize("order", itertools.permutations(range(4)))
def test_any_order_of_a_reshape_there_and_back_is_nothing(order, merged):
    axes = transposed(images((5, 6, 4, 10)), order)
    shape = tuple(map(sum_of, axes))
    joined = (*shape[:merged], int(np.prod(shape[merged : merged + 2])), *shape[merged + 2 :])
    assert regroup(regroup(axes, joined), shape) == axes


@pytest.mark.parametrize(
    ("axes", "layout"),
    [
        (images((1, 6, 4, 4)), Layout("map", 1)),
        (unknown((1, 6, 4, 4)), Layout("map", 1)),
        (((), (), (), whole(CHANNELS, 6)), Layout("map", 3)),  # pooled, channels last
        (((), whole("tokens", 5), whole(CHANNELS, 6)), Layout("tokens", 2)),
        (((), whole(CHANNELS, 6), whole("tokens", 5)), Layout("tokens", 1)),
        (((), (), whole(CHANNELS, 6)), Layout("vector", 2)),
        (((), whole("tokens", 5), whole("tokens", 5)), None),  # attention of one head
        (((), whole("tokens", 5)), None),  # a sum over channels
        (regroup(images((1, 6, 4, 4)), (1, 2, 3, 16)), None),  # heads
        (regroup(images((1, 6, 4, 4)), (1, 96)), Layout("vector", 1)),
        (images((2, 6, 4, 4)), Layout("map", 1)),
    ],
)
def test_axes_tell_what_is_a_layer(axes, layout):
    assert layout_of(axes, sum_of(axes[0])) == layout


def random_weights(**shapes):
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def channels_last(make_model):
    """A stem, then a stage with channels last, pooled and classified."""
    nodes = [
        node("Conv", ["pixels", "w"], ["stem"], strides=[4, 4]),
        node("Transpose", ["stem"], ["last"], perm=[0, 2, 3, 1]),
        node("MatMul", ["last", "wide"], ["hidden"]),
        node("Relu", ["hidden"], ["active"]),
        node("MatMul", ["active", "narrow"], ["out"]),
        node("Add", ["out", "last"], ["sum"]),
        node("LayerNormalization", ["sum", "one", "nil"], ["norm"]),
        node("ReduceMean", ["norm"], ["pooled"], axes=[1, 2], keepdims=0),
        node("Gemm", ["pooled", "head"], ["logits"]),
    ]
    weights = random_weights(w=(6, 3, 4, 4), wide=(6, 24), narrow=(24, 6), head=(6, 5))
    weights |= {"one": np.ones(6, np.float32), "nil": np.zeros(6, np.float32)}
    return make_model(nodes, weights, ("n", 3, 16, 20), output=("logits", 2))


def test_maps_with_channels_last_come_out_as_they_are(channels_last, pixels):
    images = pixels(2, 16, 20)
    (expected,) = ReferenceEvaluator(channels_last).run(["norm"], {"pixels": images})
    backbone = Backbone(channels_last.SerializeToString(), spec=ModelSpec("m", (), (16, 20)))
    assert backbone.layers == ("norm",)
    assert_allclose(backbone.run(images)["norm"], expected, atol=1e-5)
    info = {layer.name: layer for layer in backbone.layer_info}["hidden"]
    assert (info.kind, info.channels, info.grid, info.stride) == ("map", 24, (4, 5), 4)


def test_maps_with_channels_last_are_projected(channels_last, pixels):
    rng, images = np.random.default_rng(1), pixels(2, 16, 20)
    mean, components = rng.normal(size=6), rng.normal(size=(2, 6))
    spec = ModelSpec("m", ("norm",), (16, 20))
    content = channels_last.SerializeToString()
    plain = Backbone(content, spec=spec).run(images)["norm"]
    folded = Backbone(content, spec=spec, projections={"norm": (mean, components)})
    assert_allclose(folded.run(images)["norm"], (plain - mean) @ components.T, atol=1e-5)


def test_every_output_of_a_node_may_be_a_layer(make_model, pixels):
    nodes = [
        node("Concat", ["pixels", "pixels"], ["six"], axis=1),
        node("Split", ["six"], ["first", "", "third"], axis=1),
        node("MaxPool", ["third"], ["pool", "places"], kernel_shape=[2, 2]),
        node("SplitToSequence", ["six"], ["pieces"], axis=1),
        node("SequenceAt", ["pieces", "zero"], ["piece"]),
        node("Shape", ["pool"], ["sizes"]),
        node("Cast", ["sizes"], ["lengths"], to=TensorProto.FLOAT),
    ]
    model = make_model(nodes, {"zero": np.array(0)}, output=("pool", 4))
    backbone = Backbone(model.SerializeToString(), spec=ModelSpec("m", ("third",), 8))
    names = [layer.name for layer in backbone.layer_info]
    assert names[:4] == ["six", "first", "third", "pool"]
    assert not {"places", "pieces", "sizes", ""} & set(names)
    images = pixels(2, 8, 8)
    assert_allclose(backbone.run(images)["third"], images[:, 1:].transpose(0, 2, 3, 1))


def test_a_shape_that_depends_on_values_is_seen_in_a_run(make_model):
    """Inference gives up on sizes computed in floating point; one run shows them."""
    nodes = [
        node("Shape", ["pixels"], ["whole"]),
        node("Cast", ["whole"], ["real"], to=TensorProto.FLOAT),
        node("Mul", ["real", "half"], ["smaller"]),
        node("Cast", ["smaller"], ["target"], to=TensorProto.INT64),
        node("Resize", ["pixels", "", "", "target"], ["resized"], mode="nearest"),
    ]
    model = make_model(nodes, {"half": np.array([1, 1, 0.5, 0.5], np.float32)})
    (layer,) = Backbone(model.SerializeToString(), spec=ModelSpec("m", ("resized",), 8)).layer_info[
        -1:
    ]
    assert (layer.kind, layer.channels, layer.grid, layer.stride) == ("map", 3, (4, 4), 2)


def test_the_grid_that_was_laid_out_as_tokens_is_known(make_model):
    """Also where sizes cannot be followed: then it tells the patches at the model's own size."""
    nodes = [
        node("Conv", ["pixels", "w"], ["patches"], strides=[4, 4]),
        node("Reshape", ["patches", "flat"], ["columns"]),
        node("Transpose", ["columns"], ["tokens"], perm=[0, 2, 1]),
    ]
    weights = {"w": np.ones((6, 3, 4, 4), np.float32), "flat": np.array([0, 6, -1])}
    model = make_model(nodes, weights, output=("tokens", 3))
    assert examine(without_weights(model), (16, 20)).grid == (4, 5)
    assert examine(without_weights(make_model(nodes[:1], weights)), 16).grid is None
