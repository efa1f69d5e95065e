"""The size of a run, known before it starts."""

import numpy as np
import onnx
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from onnx import TensorProto, helper, numpy_helper

from skdeepenc.backbones import ModelSpec, write_spec
from skdeepenc.exceptions import NotEnoughMemoryError
from skdeepenc.extraction import ActivationExtractor, _memory_check
from skdeepenc.images import Pyramid


def test_a_run_that_will_not_fit_is_refused_before_it_starts(model, images, monkeypatch):
    monkeypatch.setattr(_memory_check, "available_memory", lambda: 12 * 16 * 5 * 4 - 1)
    extractor = ActivationExtractor(model).fit(images)
    monkeypatch.setattr(extractor.backbone_, "run", None)  # would fail if it were called
    with pytest.raises(NotEnoughMemoryError, match=r"memory=.*n_components=.*float16"):
        extractor.transform(images)


@pytest.fixture
def estimates(monkeypatch):
    """Sizes that runs were thought to have, in bytes."""
    found = []
    monkeypatch.setattr("skdeepenc.extraction._runner.check_room", found.append)
    return found


def test_the_estimate_is_the_size_of_the_maps(model, images, estimates):
    views = Pyramid(n_scales=3)
    extractor = ActivationExtractor(model, layers=["conv1", "conv2", "rgb"], views=views)
    maps = extractor.fit_transform(images)
    assert_allclose(estimates, maps.nbytes, rtol=0.02)


def test_the_estimate_of_upright_images(model, images, estimates):
    upright = onnx.load_from_string(model)
    for dim, side in zip(
        upright.graph.input[0].type.tensor_type.shape.dim[2:], (32, 16), strict=True
    ):
        dim.dim_value = side
    write_spec(upright, ModelSpec("upright", ("conv2",), (32, 16)))
    views = Pyramid(n_scales=3)
    maps = ActivationExtractor(upright.SerializeToString(), views=views).fit_transform(images)
    assert_array_equal(maps.grid("conv2")[0], [[8, 4], [11, 5], [16, 8]])
    assert_allclose(estimates, maps.nbytes, rtol=0.02)


def described_model(name, nodes, weights, rank):
    """Return the content of a model that gives the last node's output, of so many axes."""
    layer = nodes[-1].output[0]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, 16, 16])],
        [helper.make_tensor_value_info(layer, TensorProto.FLOAT, [None] * rank)],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    write_spec(model, ModelSpec(name, (layer,), 16))
    return model.SerializeToString()


@pytest.fixture
def unknown_shape():
    """A slice whose end only the pixels tell: two channels, as large as the image."""
    nodes = [
        helper.make_node("ReduceMax", ["pixels"], ["most"], keepdims=0),
        helper.make_node("Mul", ["most", "nought"], ["nothing"]),
        helper.make_node("Add", ["nothing", "two"], ["end"]),
        helper.make_node("Cast", ["end"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["whole", "one"], ["ends"]),
        helper.make_node("Slice", ["pixels", "start", "ends", "one"], ["cut"]),
    ]
    weights = {"nought": np.float32(0), "two": np.float32(2), "one": [1], "start": [0]}
    return described_model("unknown", nodes, weights, rank=4)


def test_a_layer_of_unknown_shape_is_measured(unknown_shape, images):
    maps = ActivationExtractor(unknown_shape).fit_transform(images)
    assert maps.n_channels("cut") == 2
    assert_array_equal(maps.grid("cut")[0], [[16, 16]])


@pytest.mark.parametrize("layers", ["cut", ["cut", "rgb"]])
def test_unknown_shapes_are_measured_at_every_size(unknown_shape, images, layers, estimates):
    extractor = ActivationExtractor(unknown_shape, layers=layers, views=Pyramid(n_scales=3))
    maps = extractor.fit_transform(images)
    assert estimates == [maps.nbytes]


@pytest.mark.parametrize("n_scales", [1, 2])
def test_tokens_are_counted_by_the_patches_that_the_graph_cuts(images, estimates, n_scales):
    nodes = [
        helper.make_node("Reshape", ["pixels", "shape"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["tokens"], perm=[0, 2, 1]),
    ]
    model = described_model("tokens", nodes, {"shape": [0, 3, -1]}, rank=3)
    maps = ActivationExtractor(model, views=Pyramid(n_scales=n_scales)).fit_transform(images)
    assert estimates == [maps.nbytes]
    assert_array_equal(maps.grid("tokens")[0], [[16, 16], [23, 23]][:n_scales])
