"""The layer that nobody asked for is the one that the head reads."""

import numpy as np
import pytest
from onnx import helper

from skdeepenc.backbones.anatomy.examine import examine
from skdeepenc.backbones.anatomy.head import read_by_head
from skdeepenc.backbones.graphs.graph import fed_by_values
from skdeepenc.backbones.graphs.skeleton import without_weights

node = helper.make_node
CONV = node("Conv", ["pixels", "w"], ["map"], strides=[8, 8])
TOKENS = [
    CONV,
    node("Reshape", ["map", "rows"], ["flat"]),
    node("Transpose", ["flat"], ["tokens"], perm=[0, 2, 1]),
]
WEIGHTS = {
    "w": np.ones((4, 3, 8, 8), dtype=np.float32),
    "rows": np.array([-1, 4, 16]),
    "one": np.float32(1),
    "axis": np.array([1]),
    "first": np.array(0),
    "sides": np.array([2, 3]),
    "classes": np.ones((4, 7), dtype=np.float32),
    "hidden": np.ones((3, 4), dtype=np.float32),
    "shape_of_kernel": np.array([1000, 4, 1, 1]),
    "keys": np.ones((4, 4), dtype=np.float32),
    "query": np.ones((1, 1, 4), dtype=np.float32),
}


@pytest.fixture
def head_of(make_model):
    def read(nodes, rank=2):
        model = make_model(nodes, WEIGHTS, (1, 3, 32, 32), output=(nodes[-1].output[0], rank))
        skeleton = without_weights(model)
        return read_by_head(skeleton, examine(skeleton, 32))

    return read


def test_the_map_before_global_pooling(head_of):
    pooled = [
        node("GlobalAveragePool", ["relu"], ["pooled"]),
        node("Flatten", ["pooled"], ["vector"]),
        node("MatMul", ["vector", "classes"], ["scores"]),
        node("Softmax", ["scores"], ["probabilities"]),
    ]
    assert head_of([CONV, node("Relu", ["map"], ["relu"]), *pooled]) == "relu"


def test_a_norm_of_the_pooled_vector_is_the_heads_own(head_of):
    """Convolutional networks after ConvNeXt keep two axes of length one after pooling."""
    nodes = [
        CONV,
        node("GlobalAveragePool", ["map"], ["pooled"]),
        node("Mul", ["pooled", "one"], ["normed"]),
        node("Flatten", ["normed"], ["vector"]),
    ]
    assert head_of(nodes) == "map"


def test_a_declared_output_with_positions(head_of):
    assert head_of([*TOKENS, node("Mul", ["tokens", "one"], ["last_hidden_state"])], 3) == (
        "last_hidden_state"
    )


def test_the_tokens_of_which_one_is_taken(head_of):
    nodes = [
        *TOKENS,
        node("Mul", ["tokens", "one"], ["norm"]),
        node("Gather", ["norm", "first"], ["class_token"], axis=1),
        node("MatMul", ["class_token", "classes"], ["scores"]),
    ]
    assert head_of(nodes) == "norm"


def test_scores_of_classes_at_every_position_are_no_layer(head_of):
    """A head may be a convolution: its map, averaged and scaled, holds a score a class."""
    scoring = [
        node("Conv", ["relu", "kernel"], ["class_map"]),
        node("GlobalAveragePool", ["class_map"], ["means"]),
        node("Softmax", ["means"], ["probabilities"], axis=1),
    ]
    kernel = [node("Unsqueeze", ["keys", "sides"], ["kernel"])]
    assert head_of([CONV, *kernel, node("Relu", ["map"], ["relu"]), *scoring], 4) == "relu"


@pytest.mark.parametrize("ending", [[], ["GlobalAveragePool", "Flatten"]], ids=["map", "mean"])
def test_as_many_channels_as_imagenet_has_classes_are_scores(head_of, ending):
    """Without a softmax, as PyTorch exports them, or as the declared output of a dense network."""
    names = ["map", "relu", "thousand", *ending]
    ones = helper.make_tensor("ones", 1, [1], [1])
    kernel = node("ConstantOfShape", ["shape_of_kernel"], ["kernel"], value=ones)
    nodes = [
        CONV,
        node("Relu", ["map"], ["relu"]),
        kernel,
        node("Conv", ["relu", "kernel"], ["thousand"]),
        *(node(op, [before], [op]) for op, before in zip(ending, names[2:], strict=False)),
    ]
    assert head_of(nodes, 2 if ending else 4) == "relu"


def test_without_positions_the_vector_that_the_scores_are_made_of(head_of):
    nodes = [
        node("GlobalAveragePool", ["pixels"], ["means"]),
        node("Flatten", ["means"], ["flat"]),
        node("MatMul", ["flat", "hidden"], ["features"]),
        node("MatMul", ["features", "classes"], ["scores"]),
    ]
    assert head_of(nodes) == "features"


def test_what_an_attention_pools(head_of):
    """Keys and values are projections of the layer, which is their source."""
    nodes = [
        *TOKENS,
        node("Mul", ["tokens", "one"], ["norm"]),
        node("MatMul", ["norm", "keys"], ["projected"]),
        node("Transpose", ["projected"], ["columns"], perm=[0, 2, 1]),
        node("MatMul", ["query", "columns"], ["scores"]),
        node("Softmax", ["scores"], ["weights"]),
        node("MatMul", ["weights", "projected"], ["pooled"]),
        node("Squeeze", ["pooled", "axis"], ["vector"]),
    ]
    assert head_of(nodes) == "norm"


def test_no_positions_no_layer(head_of):
    nodes = [node("GlobalAveragePool", ["pixels"], ["means"]), node("Flatten", ["means"], ["out"])]
    assert head_of(nodes) is None


def test_sizes_are_no_values(make_model):
    nodes = [
        node("Shape", ["pixels"], ["size"]),
        node("Cast", ["size"], ["number"], to=1),
        node("Mul", ["pixels", "one"], ["out"]),
    ]
    assert fed_by_values(make_model(nodes, {"one": np.float32(1)})) == {"pixels", "out"}
