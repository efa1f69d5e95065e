"""Weights are found wherever a graph holds them, and hidden parts of graphs are laid open."""

import numpy as np
import onnx
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from skdeepenc.backbones import Backbone, ModelSpec
from skdeepenc.backbones.graphs.skeleton import with_weights, without_weights

node = helper.make_node


def layer_of(model, layer, images):
    backbone = Backbone(model.SerializeToString(), spec=ModelSpec("m", (layer,), images.shape[2]))
    return backbone.run(images)[layer]


def check(model, layer, images):
    """Compare a layer with what onnx's own evaluator says."""
    (expected,) = ReferenceEvaluator(model).run([layer], {"pixels": images})
    maps = layer_of(model, layer, images)
    expected = expected.reshape(*expected.shape, *(1,) * (4 - expected.ndim))
    assert_allclose(maps, expected.transpose(0, 2, 3, 1), atol=1e-5)


def sparse_constant():
    values = numpy_helper.from_array(np.array([2, 3], np.float32), "values")
    indices = numpy_helper.from_array(np.array([0, 2]), "indices")
    return onnx.SparseTensorProto(values=values, indices=indices, dims=[3])


@pytest.mark.parametrize(
    ("held", "shape"),
    [
        ({"value": numpy_helper.from_array(np.array(2, np.float32))}, [1]),
        ({"value_float": 2.0}, [1]),
        ({"value_floats": [1.0, 2.0, 3.0]}, [1, 3, 1, 1]),
        ({"sparse_value": sparse_constant()}, [1, 3, 1, 1]),
    ],
)
def test_every_form_of_constant_is_a_weight(held, shape, make_model, pixels):
    nodes = [
        node("Constant", [], ["factor"], **held),
        node("Constant", [], ["shape"], value_ints=shape),
        node("Reshape", ["factor", "shape"], ["factors"]),
        node("Mul", ["pixels", "factors"], ["scaled"]),
    ]
    model = make_model(nodes)
    skeleton = without_weights(model)
    assert [n.op_type for n in skeleton.graph.node] == ["Reshape", "Mul"]
    images = pixels(2, 6, 5)
    factors = np.array([2, 0, 3] if "sparse_value" in held else held.get("value_floats", [2] * 3))
    expected = images * factors[:, None, None]
    assert_allclose(layer_of(model, "scaled", images), expected.transpose(0, 2, 3, 1), atol=1e-6)


def test_whole_numbers_and_words_are_weights_too(make_model, pixels):
    nodes = [
        node("Constant", [], ["axis"], value_int=1),
        node("Constant", [], ["first"], value_ints=[0, 1]),
        node("Constant", [], ["word"], value_string="unread"),
        node("Constant", [], ["words"], value_strings=["never", "read"]),
        node("Gather", ["pixels", "first"], ["two"], axis=1),
        node("CumSum", ["two", "axis"], ["sums"]),
    ]
    images = pixels(2, 4, 4)
    sums = layer_of(make_model(nodes), "sums", images)
    assert_allclose(sums, images[:, :2].cumsum(axis=1).transpose(0, 2, 3, 1), atol=1e-6)


def test_large_weights_are_described_not_copied(make_model):
    weight = np.ones((8, 3, 4, 4), np.float32)
    nodes = [
        node("Constant", [], ["w"], value=numpy_helper.from_array(weight)),
        node("Conv", ["pixels", "w"], ["map"]),
    ]
    model = make_model(nodes)
    skeleton = without_weights(model)
    (tensor,) = skeleton.graph.initializer
    assert (tensor.name, list(tensor.dims), tensor.raw_data) == ("w", [8, 3, 4, 4], b"")
    (filled,) = with_weights(skeleton, model).graph.initializer
    assert_array_equal(numpy_helper.to_array(filled), weight)


def branch(name, nodes, weights=()):
    """Return a graph without inputs that gives what its last node makes."""
    output = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)
    tensors = [numpy_helper.from_array(w, key) for key, w in dict(weights).items()]
    return helper.make_graph(nodes, name, [], [output], tensors)


def scaled_branch(factor):
    """Both branches call what they make by the same names."""
    large = np.full((1, 3, 40, 1), factor, np.float32)
    nodes = [
        node("Constant", [], ["factor"], value=numpy_helper.from_array(large)),
        node("Mul", ["on", "factor"], ["scaled"]),
        node("Mul", ["scaled", "own"], ["branch_output"]),
    ]
    return branch(f"by_{factor}", nodes, {"own": np.array(factor, np.float32)})


@pytest.mark.parametrize("taken", [True, False])
def test_a_constant_branch_is_written_out(taken, make_model, pixels):
    nodes = [
        node("Relu", ["pixels"], ["on"]),
        node("Constant", [], ["taken"], value=numpy_helper.from_array(np.array(taken))),
        *(
            node(
                "If",
                ["taken"],
                [output],
                then_branch=scaled_branch(2),
                else_branch=scaled_branch(3),
            )
            for output in ("first", "second")
        ),
        node("Add", ["first", "second"], ["sum"]),
    ]
    model = make_model(nodes)
    assert "If" not in [n.op_type for n in without_weights(model).graph.node]
    check(model, "sum", pixels(2, 40, 3))


def test_a_branch_that_depends_on_the_size_stays(make_model, pixels):
    nodes = [
        node("Relu", ["pixels"], ["on"]),
        node("Shape", ["on"], ["sizes"], start=2, end=3),
        node("Constant", [], ["limit"], value_ints=[40]),
        node("Equal", ["sizes", "limit"], ["is_40"]),
        node(
            "If", ["is_40"], ["either"], then_branch=scaled_branch(2), else_branch=scaled_branch(3)
        ),
        node("Neg", ["either"], ["negative"]),
    ]
    model = make_model(nodes)
    check(model, "negative", pixels(2, 40, 3))


def test_what_a_branch_holds_is_lifted(make_model, pixels):
    """Large weights inside a branch are described as those outside are."""
    held = numpy_helper.from_array(np.full((1, 3, 40, 1), 2, np.float32))
    inner = [node("Constant", [], ["w"], value=held), node("Mul", ["on", "w"], ["then_out"])]
    nodes = [
        node("Relu", ["pixels"], ["on"]),
        node("ReduceMax", ["on"], ["largest"], keepdims=0),
        node("Greater", ["largest", "own"], ["bright"]),
        node(
            "If",
            ["bright"],
            ["either"],
            then_branch=branch("then", inner),
            else_branch=branch(
                "else", [node("Mul", ["on", "v"], ["else_out"])], {"v": held_array(3)}
            ),
        ),
        node("Neg", ["either"], ["negative"]),
    ]
    model = make_model(nodes, {"own": np.array(0.5, np.float32)})
    skeleton = without_weights(model)
    assert {"w", "v"} <= {tensor.name for tensor in skeleton.graph.initializer}
    assert len(skeleton.SerializeToString()) < 1000
    check(model, "negative", pixels(2, 40, 3))


def held_array(factor):
    return np.full((1, 3, 40, 1), factor, np.float32)


def test_a_loop_captures_constants(make_model, pixels):
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            node("Constant", [], ["half"], value_float=0.5),
            node("Mul", ["before", "half"], ["after"]),
            node("Identity", ["going"], ["still"]),
        ],
        "body",
        [
            info("turn", TensorProto.INT64, []),
            info("going", TensorProto.BOOL, []),
            info("before", TensorProto.FLOAT, None),
        ],
        [info("still", TensorProto.BOOL, []), info("after", TensorProto.FLOAT, None)],
    )
    nodes = [
        node("Constant", [], ["turns"], value=numpy_helper.from_array(np.array(3))),
        node("Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True))),
        node("Loop", ["turns", "yes", "pixels"], ["eighth"], body=body),
        node("Neg", ["eighth"], ["negative"]),
    ]
    images = pixels(2, 4, 4)
    negative = layer_of(make_model(nodes), "negative", images)
    assert_allclose(negative, -images.transpose(0, 2, 3, 1) / 8, atol=1e-6)


def test_functions_of_the_model_are_written_out(make_model, pixels):
    """As the newer exporter of PyTorch writes layers, constants inside included."""
    scaled = helper.make_function(
        "layers",
        "Scaled",
        ["x"],
        ["y"],
        [
            node("Constant", [], ["factor"], value_float=3.0),
            node("Mul", ["x", "factor"], ["large"]),
            node("Relu", ["large"], ["y"]),
        ],
        [helper.make_opsetid("", 17)],
    )
    nodes = [
        node("Scaled", ["pixels"], ["first"], domain="layers"),
        node("Scaled", ["first"], ["second"], domain="layers"),
    ]
    model = make_model(nodes)
    model.functions.append(scaled)
    model.opset_import.add(domain="layers", version=1)
    skeleton = without_weights(model)
    assert {n.op_type for n in skeleton.graph.node} == {"Mul", "Relu"}
    assert not skeleton.functions
    check(model, "second", pixels(2, 4, 4))


def test_nodes_without_inputs_are_no_obstacle(make_model, pixels):
    nodes = [
        node("RandomUniform", [], ["noise"], shape=[1], seed=1.0, low=2.0, high=2.0001),
        node("Mul", ["pixels", "noise"], ["double"]),
    ]
    images = pixels(2, 4, 4)
    double = layer_of(make_model(nodes), "double", images)
    assert_allclose(double, 2 * images.transpose(0, 2, 3, 1), atol=1e-3)


def test_outputs_need_no_type(make_model, pixels):
    model = make_model([node("Relu", ["pixels"], ["on"])])
    model.graph.output[0].ClearField("type")
    images = pixels(1, 4, 4)
    on = layer_of(model, "on", images)
    assert_array_equal(on, np.maximum(images, 0).transpose(0, 2, 3, 1))
