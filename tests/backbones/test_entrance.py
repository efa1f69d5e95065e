"""Whatever a graph takes, it gives what onnxruntime alone computes of the same pixels."""

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from onnx import TensorProto, helper, numpy_helper

from skdeepenc import ActivationExtractor
from skdeepenc.backbones import Backbone, ModelSpec
from skdeepenc.exceptions import ModelError, ModelWarning
from skdeepenc.images import Preprocessing

RAW = Preprocessing(mean=(0, 0, 0), std=(1, 1, 1), scale=1)
SPEC = ModelSpec("tiny", ("relu",), 8, RAW)
CONVOLUTION = [
    helper.make_node("Conv", ["ready", "w"], ["conv"], strides=[2, 2]),
    helper.make_node("Relu", ["conv"], ["relu"]),
]
SINGLE = helper.make_node("Cast", ["x"], ["single"], to=TensorProto.FLOAT)
TO_FRONT = helper.make_node("Transpose", ["single"], ["ready"], perm=[0, 3, 1, 2])
SAME = helper.make_node("Identity", ["single"], ["ready"])
GREY = np.array([0.299, 0.587, 0.114])


def model_of(nodes, shape, *, elem_type=TensorProto.FLOAT, channels=3, inputs=(), constants=()):
    """Return a model of nodes that read "x" of a shape and a type."""
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(4, channels, 2, 2)).astype(np.float32)
    made = {name for node in nodes for name in node.output}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [*inputs, helper.make_tensor_value_info("x", elem_type, shape)],
        [helper.make_empty_tensor_value_info(name) for name in ("relu", "gated") if name in made],
        [numpy_helper.from_array(weight, "w"), *constants],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def bytes_of(batch, height, width):
    return np.random.default_rng(1).integers(0, 256, (batch, 3, height, width)).astype(np.float32)


def expected(model, feed, layer="relu"):
    """Return a layer, channels last, as onnxruntime alone computes it."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.append(helper.make_empty_tensor_value_info(layer))
    session = onnxruntime.InferenceSession(copy.SerializeToString())
    return session.run([layer], feed)[0].transpose(0, 2, 3, 1)


def run(model, images, **parameters):
    return Backbone(model.SerializeToString(), **{"spec": SPEC, **parameters}).run(images)["relu"]


TYPES = {
    TensorProto.FLOAT: np.float32,
    TensorProto.FLOAT16: np.float16,
    TensorProto.DOUBLE: np.float64,
    TensorProto.UINT8: np.uint8,
}


@pytest.mark.parametrize("elem_type", TYPES, ids=lambda number: TYPES[number].__name__)
@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize("layout", ["first", "last"])
def test_every_kind_of_pixels(elem_type, channels, layout):
    last = layout == "last"
    nodes = [SINGLE, TO_FRONT if last else SAME, *CONVOLUTION]
    shape = ["n", 8, 8, channels] if last else ["n", channels, 8, 8]
    model = model_of(nodes, shape, elem_type=elem_type, channels=channels)
    images = bytes_of(2, 8, 10)
    pixels = images if channels == 3 else np.tensordot(GREY, images, (0, 1))[:, None]
    pixels = pixels.round() if elem_type == TensorProto.UINT8 else pixels
    pixels = pixels.transpose(0, 2, 3, 1) if last else pixels
    free = model_of(nodes, ["n", *"abc"], elem_type=elem_type, channels=channels)
    reference = expected(free, {"x": pixels.astype(TYPES[elem_type])})
    assert_allclose(run(model, images), reference, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("shape", [["n", "h", "w", "c"], [1, 3, 3, 3], ["n", 3, "w", 3]])
def test_the_graph_tells_where_channels_are(shape):
    """Nothing is declared, or it could mean both: the transposition in front of Conv decides."""
    model = model_of([SINGLE, TO_FRONT, *CONVOLUTION], shape)
    images = bytes_of(1, 6, 4)
    free = model_of([SINGLE, TO_FRONT, *CONVOLUTION], ["n", *"hwc"])
    reference = expected(free, {"x": images.transpose(0, 2, 3, 1)})
    assert_allclose(run(model, images), reference, rtol=1e-4, atol=1e-3)


def test_the_kernel_tells_how_many_channels():
    model = model_of([SINGLE, SAME, *CONVOLUTION], ["n", "c", "h", "w"], channels=1)
    images = bytes_of(1, 6, 4)
    grey = np.tensordot(GREY, images, (0, 1))[:, None].astype(np.float32)
    assert_allclose(run(model, images), expected(model, {"x": grey}), rtol=1e-4, atol=1e-2)


def test_oblong_channels_last_images_have_their_own_size():
    model = model_of([SINGLE, TO_FRONT, *CONVOLUTION], [1, 12, 8, 3])
    backbone = Backbone(model.SerializeToString(), layers="relu", preprocessing=RAW)
    assert backbone.spec.input_size == (12, 8)


def test_what_stands_in_front_is_no_layer():
    model = model_of([SINGLE, TO_FRONT, *CONVOLUTION], [1, 8, 8, 3], elem_type=TensorProto.UINT8)
    layers = [layer.name for layer in Backbone(model.SerializeToString(), spec=SPEC).layer_info]
    assert layers == ["single", "ready", "conv", "relu"]


def test_two_transpositions_cancel(tmp_path):
    """Channels-last graphs that turn them to the front get the pixels as they came."""
    model = model_of([SINGLE, TO_FRONT, *CONVOLUTION], ["n", 8, 8, 3])
    backbone = Backbone(model.SerializeToString(), spec=SPEC)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    onnxruntime.InferenceSession(backbone._network.build("own").content, options)
    optimized = onnx.load(options.optimized_model_filepath)
    assert "Transpose" not in {node.op_type for node in optimized.graph.node}


# --- bytes ------------------------------------------------------------------------------------


@pytest.fixture
def byte_model():
    return model_of([SINGLE, SAME, *CONVOLUTION], ["n", 3, 8, 8], elem_type=TensorProto.UINT8)


def test_bytes_are_not_normalised_when_nobody_described_the_model(byte_model):
    image = bytes_of(1, 8, 8)[0].transpose(1, 2, 0).astype(np.uint8)
    extractor = ActivationExtractor(byte_model.SerializeToString())
    with pytest.warns(ModelWarning, match="taking RGB, bytes, size 8"):
        maps = extractor.fit_transform([image])
    reference = expected(byte_model, {"x": image.transpose(2, 0, 1)[None]})
    assert_allclose(maps.values("relu"), reference.reshape(-1, 4), rtol=1e-4, atol=1e-3)


def test_bytes_that_were_normalised_are_refused(byte_model):
    content = byte_model.SerializeToString()
    extractor = ActivationExtractor(content, layers="relu", preprocessing=Preprocessing())
    with pytest.raises(ModelError, match=r"'x' takes bytes.*Preprocessing\(mean"):
        extractor.fit_transform([np.zeros((8, 8, 3), dtype=np.uint8)])


# --- other inputs -----------------------------------------------------------------------------

GATE = helper.make_tensor_value_info("gate", TensorProto.FLOAT, [1])
GATED = [SINGLE, SAME, *CONVOLUTION, helper.make_node("Mul", ["relu", "gate"], ["gated"])]


def test_an_input_that_the_layers_do_not_need_is_dropped():
    model = model_of(GATED, ["n", 3, 8, 8], inputs=[GATE])
    images = bytes_of(2, 8, 8)
    reference = expected(model, {"x": images, "gate": np.ones(1, dtype=np.float32)})
    assert_allclose(run(model, images), reference, rtol=1e-4, atol=1e-3)
    backbone = Backbone(model.SerializeToString(), spec=SPEC, layers="gated")
    with pytest.raises(ModelError, match=r"'gated' of the model given as bytes needs .*'gate'"):
        _ = backbone.layers


def test_an_input_with_a_default_is_a_constant():
    default = numpy_helper.from_array(np.float32([3]), "gate")
    model = model_of(GATED, ["n", 3, 8, 8], inputs=[GATE], constants=[default])
    images = bytes_of(2, 8, 8)
    gated = Backbone(model.SerializeToString(), spec=SPEC, layers=["relu", "gated"]).run(images)
    assert_array_equal(gated["gated"], 3 * gated["relu"])


def test_of_two_images_the_coloured_one_is_taken():
    mask = helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["n", 1, 8, 8])
    nodes = [*GATED[:-1], helper.make_node("Mul", ["relu", "mask"], ["gated"])]
    model = model_of(nodes, ["n", 3, 8, 8], inputs=[mask])
    images = bytes_of(2, 8, 8)
    reference = expected(model_of(nodes[:-1], ["n", 3, 8, 8]), {"x": images})
    assert_allclose(run(model, images), reference, rtol=1e-4, atol=1e-3)


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("elem_type", "shape", "reason"),
    [
        (TensorProto.INT8, ["n", 3, 8, 8], r"'x' is int8 \(n, 3, 8, 8\): another type"),
        (TensorProto.FLOAT, ["n", 4, 8, 8], r"'x' is float \(n, 4, 8, 8\): 4 channels"),
        (TensorProto.FLOAT, ["n", 8, 8, 2], r"'x' is float \(n, 8, 8, 2\): 8 channels"),
        (TensorProto.FLOAT, ["n", 192], r"'x' is float \(n, 192\): not four axes"),
        (TensorProto.FLOAT, [1, 3, 4, 8, 8], r"not four axes; export"),
    ],
)
def test_what_takes_no_images_is_refused_by_name(elem_type, shape, reason):
    model = model_of(
        [SINGLE, helper.make_node("Relu", ["single"], ["relu"])], shape, elem_type=elem_type
    )
    with pytest.raises(ModelError, match=f"No input of the model takes images.*{reason}"):
        _ = Backbone(model.SerializeToString(), spec=SPEC).layer_info


def test_a_graph_that_needs_more_than_images_is_refused():
    first = helper.make_node("Mul", ["x", "gate"], ["single"])
    model = model_of([first, SAME, *CONVOLUTION], ["n", 3, 8, 8], inputs=[GATE])
    with pytest.raises(ModelError, match="needs inputs beside its images: gate"):
        _ = Backbone(model.SerializeToString(), spec=SPEC).layer_info
