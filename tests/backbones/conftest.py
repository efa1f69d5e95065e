"""Networks to cut: tiny ones made here, and the real graphs that the onnx wheel carries."""

import functools
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
# The real graphs are made narrow, for no surgery looks at how wide they are: hidden fully connected
# layers have so many channels, and all others a quarter of theirs.
NARROW = 32
QUARTER, LARGEST_KERNEL = 4, 11
# A quarter of whose channels would not be what its shuffles and its depthwise convolutions count.
WIDE = "shufflenet"


@pytest.fixture(scope="session")
def make_model():
    return _make_model


def _make_model(nodes, weights=(), input_shape=("n", 3, "h", "w"), output=None, opset=17):
    """Return a model of nodes and weights by name; `output` is the last tensor and its rank."""
    name, rank = output or (nodes[-1].output[0], 4)
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pixels", onnx.TensorProto.FLOAT, input_shape)],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None] * rank)],
        [numpy_helper.from_array(np.asarray(w), key) for key, w in dict(weights).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


@pytest.fixture(scope="session")
def tiny_network():
    """Two convolutions without padding and two fully connected layers, for images of 16 pixels."""
    rng = np.random.default_rng(0)

    def normal(*shape):
        return rng.normal(size=shape).astype(np.float32)

    node = helper.make_node
    nodes = [
        node("Conv", ["pixels", "w1"], ["conv1"], strides=[2, 2]),
        node("Relu", ["conv1"], ["relu1"]),
        node("Conv", ["relu1", "w2"], ["conv2"]),
        node("Relu", ["conv2"], ["relu2"]),
        node("MaxPool", ["relu2"], ["pool"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", ["pool"], ["flat"]),
        node("Gemm", ["flat", "w3", "b3"], ["fc1"], transB=1),
        node("Relu", ["fc1"], ["relu3"]),
        node("Dropout", ["relu3"], ["dropped", "mask"]),
        node("Gemm", ["dropped", "w4", "b4"], ["fc2"]),
        node("Softmax", ["fc2"], ["prob"], axis=1),
    ]
    weights = {
        "w1": normal(4, 3, 2, 2),
        "w2": normal(5, 4, 3, 3) / 5,
        "w3": normal(7, 5 * 3 * 3) / 5,
        "b3": normal(7),
        "w4": normal(7, 6) / 3,
        "b4": normal(6),
    }
    return _make_model(nodes, weights, input_shape=(1, 3, 16, 16), output=("prob", 2))


@pytest.fixture(scope="session")
def pixels():
    """Return seeded noise as a batch of images."""

    def make(batch, height, width, seed=0):
        shape = (batch, 3, height, width)
        return np.random.default_rng(seed).normal(size=shape).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def light_graph():
    """Return a real graph by name, with random weights: narrow ones, unless its width matters."""

    @functools.cache
    def load(name, *, padded=True, narrow=True):
        model = onnx.load(LIGHT / f"light_{name}.onnx")
        if not padded:
            _drop_padding(model)
        _narrow(model, QUARTER if narrow and name != WIDE else 1)
        return _with_random_weights(model)

    return load


def _drop_padding(model):
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "pads":
                attribute.ints[:] = [0] * len(attribute.ints)


def _narrow(model, divisor):
    """Divide the channels of all shapes, which are the graphs' integers, and of small weights."""
    declared = {value.name: value.type.tensor_type.shape for value in model.graph.input}
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.int64:
            array = np.array(_narrowed(array, divisor))
        else:
            array = array[tuple(map(slice, _narrowed(array.shape, divisor)))]
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
        for size, axis in zip(array.shape, declared[tensor.name].dim, strict=True):
            axis.dim_value = size


def _narrowed(shape, divisor):
    """Divide what counts channels: not images, nor classes, nor the sides of a kernel."""
    kept = {1000: 1000, 4096: NARROW} | {side: side for side in range(LARGEST_KERNEL + 1)}
    return [kept.get(size, size // divisor) for size in map(int, shape)]


def _with_random_weights(model):
    """Put random initializers where the wheel's graphs make constants of given shapes."""
    rng = np.random.default_rng(0)
    block = rng.standard_normal(1 << 16, dtype=np.float32)
    shapes = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        if node.op_type == "ConstantOfShape":
            shape = shapes[node.input[0]].tolist()
            weight = np.resize(block, shape) * _scale(shape)
            if "scale" in node.output[0] or "var" in node.output[0] or "riv" in node.output[0]:
                weight = 0.5 + np.abs(weight)
            tensor = numpy_helper.from_array(weight, node.output[0])
            model.graph.initializer.append(tensor)
        else:
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def _scale(shape):
    """Keep the size of activations from layer to layer."""
    return np.float32(np.sqrt(2 / np.prod(shape[1:])) if len(shape) > 1 else 0.1)
