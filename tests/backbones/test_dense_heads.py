"""Converted heads equal the untouched graph at its own size, and windows on larger images."""

import numpy as np
import onnx
import pytest
from numpy.testing import assert_allclose
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from skdeepenc.backbones import Backbone, ModelSpec
from skdeepenc.backbones.graphs.graph import free_inputs, truncate
from skdeepenc.backbones.graphs.shapes import infer_shapes
from skdeepenc.backbones.graphs.skeleton import with_weights, without_weights
from skdeepenc.backbones.running.session import Graph, get_session, run_session
from skdeepenc.backbones.surgery.dense_heads import densify
from skdeepenc.backbones.surgery.entrance import open_entrance
from skdeepenc.backbones.surgery.reshapes import free_reshapes

REAL_GRAPHS = {
    "bvlc_alexnet": ["r16", "r22", "prob_1"],
    "densenet121": ["r907", "fc6_1"],
    "inception_v1": ["r137", "prob_1"],
    "inception_v2": ["r504", "prob_1"],
    "resnet50": ["r171", "gpu_0/softmax_1"],
    "shufflenet": ["r198", "gpu_0/softmax_1"],
    "squeezenet": ["r64", "softmaxout_1"],
    "vgg19": ["r38", "r44", "prob_1"],
    "zfnet512": ["r16", "gpu_0/softmax_1"],
}


def session_of(graph):
    return get_session(hash(graph), lambda: Graph(graph), n_threads=2)


def run_untouched(model, layers, pixels):
    """Run a model as it is, one image after the other, and return the asked tensors."""
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    exposed.ir_version = max(model.ir_version, 4)
    del exposed.graph.output[:]
    exposed.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in layers)
    graph = exposed.SerializeToString()
    session = session_of(graph)
    single = [run_session(session, image[None]) for image in pixels]
    return [np.concatenate(outputs) for outputs in zip(*single, strict=True)]


def run_surgery(model, layers, pixels, *, size):
    """Run a model after surgery, on a whole batch."""
    skeleton, *_ = open_entrance(without_weights(model))
    skeleton = free_reshapes(skeleton, size)
    skeleton = densify(skeleton, size)
    graph = with_weights(truncate(skeleton, layers), model).SerializeToString()
    session = session_of(graph)
    return run_session(session, pixels)


@pytest.mark.parametrize("name", REAL_GRAPHS)
def test_converted_heads_of_real_graphs_give_the_same_at_their_own_size(name, light_graph, pixels):
    layers = REAL_GRAPHS[name]
    model, images = light_graph(name), pixels(1 if name == "vgg19" else 2, 224, 224)
    expected = run_untouched(model, layers, images)
    actual = run_surgery(model, layers, images, size=224)
    for ours, untouched in zip(actual, expected, strict=True):
        scale = np.abs(untouched).max()
        assert scale > 0
        assert_allclose(
            ours.reshape(untouched.shape) / scale, untouched / scale, rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("name", REAL_GRAPHS)
@pytest.mark.filterwarnings("ignore::skdeepenc.exceptions.ModelWarning")
def test_every_layer_of_a_real_graph_is_what_the_runtime_computes(name, light_graph, pixels):
    model, images = light_graph(name), pixels(1, 224, 224)
    content = model.SerializeToString()
    layers = [info.name for info in Backbone(content, layers=[0]).layer_info]
    maps = Backbone(content, layers=layers).run(images)
    assert len(layers) > 15
    for layer, untouched in zip(layers, run_untouched(model, layers, images), strict=True):
        expected = np.moveaxis(untouched, 1, -1) if untouched.ndim == 4 else untouched
        scale = np.abs(expected).max() or 1
        assert maps[layer].size == expected.size, layer
        assert_allclose(
            maps[layer].reshape(expected.shape) / scale, expected / scale, atol=1e-4, err_msg=layer
        )


@pytest.mark.parametrize("name", ["bvlc_alexnet", "inception_v1", "shufflenet", "squeezenet"])
def test_real_graphs_take_images_of_any_size(name, light_graph, pixels):
    layer = REAL_GRAPHS[name][-1]
    images = pixels(2, 224 + 64, 224 + 96)
    (output,) = run_surgery(light_graph(name), [layer], images, size=224)
    is_global = name == "squeezenet"  # it averages over whatever there is
    assert output.shape == (2, 1000, *((1, 1) if is_global else (3, 4)))
    assert_allclose(output.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "side", "layers"),
    [("bvlc_alexnet", 288, ["r14", "r17", "prob_1"]), ("zfnet512", 256, ["r14", "r19"])],
)
def test_unpadded_real_graphs_give_what_each_window_gives(name, side, layers, light_graph, pixels):
    """The other graphs' branches do not fit together without padding."""
    model = resized_head(light_graph(name, padded=False), side)
    larger = pixels(1, side + 32, side + 64)
    dense = run_surgery(model, layers, larger, size=side)
    for row in range(2):
        for column in range(3):
            top, left = 32 * row, 32 * column
            window = larger[:, :, top : top + side, left : left + side]
            for ours, alone in zip(dense, run_untouched(model, layers, window), strict=True):
                grid = alone.reshape(*alone.shape, *(1,) * (4 - alone.ndim))
                rows, columns = grid.shape[2:]
                seen = ours[:, :, row : row + rows, column : column + columns]
                scale = np.abs(grid).max()
                assert_allclose(seen / scale, grid / scale, atol=1e-5)


def resized_head(model, side):
    """Give the first fully connected layer the weights that larger images need."""
    for size in free_inputs(model)[0].type.tensor_type.shape.dim[2:]:
        size.dim_value = side
    skeleton, *_ = open_entrance(without_weights(model))
    flatten = next(node for node in model.graph.node if node.op_type == "Reshape")
    first = next(node for node in model.graph.node if node.op_type == "Gemm")
    n_inputs = int(np.prod(infer_shapes(skeleton, side)[flatten.input[0]]))
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    width = weights[first.input[1]].dims[0]
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(width, n_inputs)) / np.sqrt(n_inputs)
    matrix = numpy_helper.from_array(matrix.astype(np.float32), first.input[1])
    weights[first.input[1]].CopyFrom(matrix)
    shape = np.array([1, n_inputs])
    weights[flatten.input[1]].CopyFrom(numpy_helper.from_array(shape, flatten.input[1]))
    return model


def test_tiny_network_equals_windows(tiny_network, pixels):
    spec = ModelSpec("tiny", ("relu3", "fc2", "prob"), 16)
    backbone = Backbone(tiny_network.SerializeToString(), spec=spec)
    larger = pixels(2, 24, 20)
    dense = backbone.run(larger)
    for row in range(3):
        for column in range(2):
            window = larger[:, :, 4 * row : 4 * row + 16, 4 * column : 4 * column + 16]
            for layer, alone in backbone.run(window).items():
                assert alone.shape[1:3] == (1, 1)
                assert_allclose(dense[layer][:, row, column], alone[:, 0, 0], atol=1e-5)


def heads():
    """Yield small heads as exporters write them, on a map of 2 channels and 3 x 3 positions."""
    node = helper.make_node
    conv = node("Conv", ["pixels", "w"], ["map"])
    flatten = node("Flatten", ["map"], ["flat"])
    product = node("MatMul", ["flat", "fc"], ["product"])
    yield "matmul", [conv, flatten, product]
    yield "bias", [conv, flatten, product, node("Add", ["bias", "product"], ["out"])]
    yield "row bias", [conv, flatten, node("Gemm", ["flat", "fc", "row"], ["out"])]
    yield "scalar bias", [conv, flatten, node("Gemm", ["flat", "fc", "scalar"], ["out"])]
    yield "scaled", [conv, flatten, node("Gemm", ["flat", "fc", "bias"], ["out"], alpha=0.5)]
    yield "relu first", [conv, flatten, node("Relu", ["flat"], ["on"]),
                         node("MatMul", ["on", "fc"], ["out"])]  # fmt: skip
    yield "any batch", [conv, node("Reshape", ["map", "any"], ["flat"]), product]
    yield "flat twice", [conv, node("Reshape", ["map", "shape"], ["once"]),
                         node("Flatten", ["once"], ["flat"]), product]  # fmt: skip
    yield "channels last", [conv, node("Transpose", ["map"], ["nhwc"], perm=[0, 2, 3, 1]),
                            node("Reshape", ["nhwc", "shape"], ["flat"]), product]  # fmt: skip
    yield "batch norm", [conv, flatten, product,
                         node("BatchNormalization", ["product", *"smvg"], ["out"])]  # fmt: skip
    yield "sum", [conv, flatten, product, node("Sigmoid", ["product"], ["gate"]),
                  node("Mul", ["product", "gate"], ["out"])]  # fmt: skip
    yield "softmax", [conv, flatten, product, node("Softmax", ["product"], ["out"], axis=-1)]


def head_weights():
    rng = np.random.default_rng(0)
    drawn = {"w": (2, 3, 2, 2), "fc": (18, 5), "bias": 5, "row": (1, 5)}
    weights = {name: rng.normal(size=shape) for name, shape in drawn.items()}
    weights |= {name: 0.1 + rng.random(5) for name in "smvg"} | {"scalar": np.array(2.0)}
    weights = {name: weight.astype(np.float32) for name, weight in weights.items()}
    return weights | {"shape": np.array([1, 18]), "any": np.array([-1, 18])}


@pytest.mark.parametrize(("name", "nodes"), list(heads()))
def test_heads_as_exporters_write_them(name, nodes, make_model, pixels):
    """Against onnx's own evaluator, on the model's size and on windows of a larger image."""
    weights = head_weights()
    used = {key: w for key, w in weights.items() if any(key in n.input for n in nodes)}
    output = nodes[-1].output[0]
    model = make_model(nodes, used, input_shape=(1, 3, 4, 4), output=(output, 2))
    # Products with a factor are not converted: they are right at the model's own size alone.
    larger = pixels(2, 6, 5) if name != "scaled" else pixels(1, 4, 4)
    (dense,) = run_surgery(model, [output], larger, size=4)
    reference = ReferenceEvaluator(model)
    dense = dense.reshape(len(larger), 5, larger.shape[2] - 3, larger.shape[3] - 3)
    for image, row, column in np.ndindex(len(larger), *dense.shape[2:]):
        window = larger[image : image + 1, :, row : row + 4, column : column + 4]
        (alone,) = reference.run(None, {"pixels": window})
        assert_allclose(dense[image, :, row, column], alone[0], atol=1e-5)
