"""AlexNet with random weights: the papers' network, for measurements that no weight matters to."""

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from benchmarks.networks import CAFFE
from skdeepenc.backbones import ModelSpec, write_spec

SIDE = 227
_ZOO_GRAPH = Path(onnx.__file__).parent / "backend/test/data/light/light_bvlc_alexnet.onnx"


def make_alexnet():
    """Build AlexNet up to fc7, as Caffe has it."""
    rng = np.random.default_rng(0)
    nodes, weights = [], []

    def add(op, source, output, shape=None, **attributes):
        inputs = [source]
        if shape is not None:
            scale = np.sqrt(2 / np.prod(shape[1:]))
            for kind, value in (
                ("weight", scale * rng.standard_normal(shape, dtype=np.float32)),
                ("bias", np.zeros(shape[0])),
            ):
                inputs.append(f"{output}/{kind}")
                weights.append(numpy_helper.from_array(value.astype(np.float32), inputs[-1]))
        nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def convolve(source, number, shape, group=1, pad=0, stride=1):
        name = f"conv{number}"
        output = add(
            "Conv", source, f"{name}/sum", shape, group=group, pads=[pad] * 4, strides=[stride] * 2
        )
        return add("Relu", output, name)

    def pool(source, number):
        return add("MaxPool", source, f"pool{number}", kernel_shape=[3, 3], strides=[2, 2])

    x = convolve("data", 1, (96, 3, 11, 11), stride=4)
    x = add("LRN", pool(x, 1), "norm1", size=5, alpha=1e-4, beta=0.75)
    x = convolve(x, 2, (256, 48, 5, 5), group=2, pad=2)
    x = add("LRN", pool(x, 2), "norm2", size=5, alpha=1e-4, beta=0.75)
    x = convolve(x, 3, (384, 256, 3, 3), pad=1)
    x = convolve(x, 4, (384, 192, 3, 3), group=2, pad=1)
    x = pool(convolve(x, 5, (256, 192, 3, 3), group=2, pad=1), 5)
    x = add("Flatten", x, "flat")
    for name, inputs in (("fc6", 9216), ("fc7", 4096)):
        x = add("Relu", add("Gemm", x, f"{name}/sum", (4096, inputs), transB=1), name)
    graph = helper.make_graph(
        nodes,
        "alexnet",
        [helper.make_tensor_value_info("data", 1, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("fc7", 1, ["n", 4096])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    write_spec(model, ModelSpec("alexnet", ("fc7",), SIDE, CAFFE))
    return model


def zoo_alexnet_rounding_down(seed=0):
    """Return the onnx wheel's AlexNet, its pooling rounded down, as the content of a file."""
    rng = np.random.default_rng(seed)
    model = onnx.load(_ZOO_GRAPH)
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        if node.op_type == "MaxPool":
            for attribute in node.attribute:
                if attribute.name == "pads":
                    attribute.ints[:] = [0, 0, 0, 0]
        if node.op_type != "ConstantOfShape":
            nodes.append(node)
            continue
        shape = shapes[node.input[0]]
        scale = np.float32(np.sqrt(2 / np.prod(shape[1:])))
        weight = rng.standard_normal(shape, dtype=np.float32) * scale
        model.graph.initializer.append(numpy_helper.from_array(weight, node.output[0]))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    for size in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        size.dim_value = SIDE
    return model.SerializeToString()
