"""Models of a few hundred bytes that ask for all memory, or forever, are refused in one error."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from onnx import TensorProto, helper

from skdeepenc.backbones import Backbone, ModelSpec
from skdeepenc.backbones.graphs.bounds import check_functions, check_memory, most_values_at_once
from skdeepenc.backbones.graphs.shapes import infer_shapes
from skdeepenc.backbones.graphs.skeleton import without_weights
from skdeepenc.backbones.running import session, trial
from skdeepenc.exceptions import ModelError

node = helper.make_node
OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]


def spec_of(layer):
    return ModelSpec("tiny", (layer,), 8)


# --- functions --------------------------------------------------------------------------------


def model_of_functions(calls):
    """Return a model whose function ``f0`` is called; each calls those of its list in turn."""
    functions = [
        helper.make_function(
            "own",
            f"f{number}",
            ["a"],
            ["b"],
            [
                node(op, ["a" if place == 0 else f"t{place}"], [f"t{place + 1}"], domain=domain)
                for place, (op, domain) in enumerate(called)
            ]
            + [node("Identity", [f"t{len(called)}"], ["b"])],
            OPSETS,
        )
        for number, called in enumerate(calls)
    ]
    graph = helper.make_graph(
        [node("f0", ["pixels"], ["out"], domain="own")],
        "tiny",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 3, 8, 8])],
    )
    return helper.make_model(graph, opset_imports=OPSETS, functions=functions, ir_version=8)


def own(*numbers):
    return [(f"f{number}", "own") for number in numbers]


def test_functions_that_end_are_taken():
    check_functions(model_of_functions([own(1, 1), own(2), [("Relu", "")]]), "tiny")


@pytest.mark.parametrize("calls", [[own(0)], [own(1), own(2), own(1)]])
def test_functions_that_call_each_other_for_ever(calls):
    with pytest.raises(ModelError, match="call each other forever: f"):
        Backbone(model_of_functions(calls).SerializeToString(), spec=spec_of("out")).run(
            np.zeros((1, 3, 8, 8))
        )


def test_functions_that_double_forty_times():
    calls = [*(own(number, number) for number in range(1, 41)), [("Relu", "")]]
    with pytest.raises(ModelError, match="calls its own functions more than"):
        check_functions(model_of_functions(calls), "tiny")


# --- memory -----------------------------------------------------------------------------------


def test_values_alive_at_once_by_hand(make_model):
    """Two maps of 192 values until the sum is made, then one; the pooled one is a sixteenth."""
    nodes = [
        node("Relu", ["pixels"], ["relu"]),
        node("Neg", ["relu"], ["negative"]),
        node("Add", ["relu", "negative"], ["sum"]),
        node("MaxPool", ["sum"], ["pool"], kernel_shape=[4, 4], strides=[4, 4]),
    ]
    skeleton = without_weights(make_model(nodes))
    assert most_values_at_once(skeleton, infer_shapes(skeleton, 8)) == 3 * 192


def expanding(make_model, shape):
    nodes = [
        node("Expand", ["pixels", "shape"], ["large"]),
        node("ReduceMax", ["large"], ["largest"], axes=[0]),
    ]
    return make_model(nodes, {"shape": np.array(shape)})


def test_a_tensor_beyond_all_measure_is_refused(make_model):
    model = expanding(make_model, [3_000_000, 3, 8, 8])
    with pytest.raises(ModelError, match=r"needs .* GiB for one image of 8 pixels"):
        Backbone(model.SerializeToString(), spec=spec_of("largest")).run(np.zeros((1, 3, 8, 8)))


def test_a_size_that_only_the_run_tells_is_bounded(make_model):
    nodes = [
        node("ReduceMax", ["pixels"], ["maximum"], keepdims=0),
        node("Mul", ["maximum", "nought"], ["nothing"]),
        node("Cast", ["nothing"], ["whole"], to=TensorProto.INT64),
        node("Add", ["shape", "whole"], ["sizes"]),
        *expanding(make_model, [1]).graph.node,
    ]
    nodes[4].input[1] = "sizes"
    weights = {"shape": np.array([3_000_000, 3, 8, 8]), "nought": np.float32(0)}
    model = make_model(nodes, weights)
    with pytest.raises(ModelError, match=r"takes more than 1\.5 GiB for one blank image"):
        Backbone(model.SerializeToString(), spec=spec_of("largest")).run(np.zeros((1, 3, 8, 8)))


@pytest.mark.parametrize("name", ["bvlc_alexnet", "resnet50", "densenet121", "shufflenet"])
def test_real_graphs_need_no_watching(name, light_graph):
    assert check_memory(without_weights(light_graph(name, narrow=False)), 224) is False


# --- loops ------------------------------------------------------------------------------------


def looping(make_model, rounds):
    """Double the positive pixels so many times."""
    body = helper.make_graph(
        [node("Add", ["before", "before"], ["after"]), node("Identity", ["go"], ["go_on"])],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, ["n", 3, 8, 8]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, ["n", 3, 8, 8]),
        ],
    )
    nodes = [
        node("Relu", ["pixels"], ["relu"]),
        node("Loop", ["rounds", "", "relu"], ["doubled"], body=body),
    ]
    return make_model(nodes, {"rounds": np.array(rounds)})


def test_a_loop_that_ends(make_model, pixels):
    images = pixels(2, 8, 8)
    model = looping(make_model, 3)
    maps = Backbone(model.SerializeToString(), spec=spec_of("doubled")).run(images)["doubled"]
    assert_allclose(maps, 8 * np.maximum(images, 0).transpose(0, 2, 3, 1))


def test_a_loop_without_end(make_model, pixels, monkeypatch):
    monkeypatch.setattr(trial, "MAX_SECONDS", 0.2)
    backbone = Backbone(looping(make_model, 2**63 - 1).SerializeToString(), spec=spec_of("doubled"))
    with pytest.raises(ModelError, match=r"does not end within 0\.2 seconds"):
        backbone.run(pixels(1, 8, 8))


def test_what_cannot_be_tried_is_left_to_who_runs_it(make_model):
    content = looping(make_model, 3).SerializeToString()
    one_channel = session.Graph(content, trial=(np.zeros((1, 1, 8, 8), dtype=np.float32), {}))
    trial.try_graph(one_channel)
    assert issubclass(trial.RunawayError, ModelError)


# --- graphs that hang together badly ----------------------------------------------------------


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Add", ["pixels", "b"], ["a"]), node("Relu", ["a"], ["b"])],
        [node("Add", ["pixels", "nowhere"], ["a"])],
        [node("Relu", ["pixels"], ["a"]), node("Neg", ["pixels"], ["a"])],
    ],
    ids=["cyclic", "dangling", "made twice"],
)
def test_graphs_that_are_none(nodes, make_model):
    with pytest.raises(ModelError, match="is not a valid ONNX model"):
        _ = Backbone(make_model(nodes).SerializeToString(), spec=spec_of("a")).layers


def test_weights_of_absurd_sizes(make_model):
    model = make_model([node("Add", ["pixels", "w"], ["a"])], {"w": np.zeros(1, dtype=np.float32)})
    model.graph.initializer[0].dims[:] = [2**40, 2**40]
    with pytest.raises(ModelError, match="does not hold its"):
        _ = Backbone(model.SerializeToString(), spec=spec_of("a")).layers
