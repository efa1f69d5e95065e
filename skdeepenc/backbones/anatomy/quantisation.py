"""Find the integer tensors of quantised graphs, and what one step of them is worth.

Integers are codes, not activations: (code - zero point) * scale is the value. Operators that write
codes are told the scale; those that only move values keep it. Sums that integer operators
accumulate have no scale in the graph.
"""

from typing import NamedTuple

from onnx import TensorProto, helper

from skdeepenc.backbones.graphs.graph import attribute, with_nodes

# Where an operator's inputs say by which scale and zero point it writes codes.
# fmt: off
_WRITERS = {
    "QuantizeLinear": (1, 2), "QLinearConv": (6, 7), "QLinearMatMul": (6, 7), "QLinearAdd": (6, 7),
    "QLinearMul": (6, 7), "QLinearGlobalAveragePool": (3, 4), "QLinearAveragePool": (3, 4),
    "QLinearSigmoid": (3, 4), "QLinearLeakyRelu": (3, 4), "QLinearSoftmax": (3, 4),
    "QLinearReduceMean": (3, 4), "QLinearConcat": (0, 1), "QGemm": (7, 8), "QLinearWhere": (7, 8),
}
_MOVERS = {
    "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "MaxPool", "NhwcMaxPool", "Relu",
    "Reshape", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze",
}
# Their scale is taken from all images that run together.
_DYNAMIC = {
    "DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM",
}
# fmt: on
FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16}


class Scale(NamedTuple):
    """The tensors that say what codes are worth, and the axis of scales by channel."""

    scale: str
    zero_point: str
    axis: int


def find_scales(skeleton):
    """Return the scale of every tensor of codes, by the tensor's name."""
    scales: dict[str, Scale] = {}
    for node in skeleton.graph.node:
        if node.op_type == "DynamicQuantizeLinear":
            scales[node.output[0]] = Scale(node.output[1], node.output[2], 1)
        elif node.op_type in _WRITERS:
            found = _written(node)
            if found is not None:
                scales[node.output[0]] = found
        elif node.op_type in _MOVERS and node.input[0] in scales:
            scales.update((output, scales[node.input[0]]) for output in node.output if output)
    return scales


def _written(node):
    """Return the scale of what an operator writes, or None if it writes floats."""
    scale, zero_point = (
        node.input[i] if i < len(node.input) else "" for i in _WRITERS[node.op_type]
    )
    return Scale(scale, zero_point, attribute(node, "axis", 1)) if scale else None


def append_values(skeleton, layer, scale):
    """Append what turns a tensor of codes into values.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights.
    layer : str
        The tensor.
    scale : Scale
        What its codes are worth.

    Returns
    -------
    skeleton : onnx.ModelProto
        The longer graph.
    output : str
        The name of the values.
    """
    output = f"{layer}/values"
    inputs = [layer, scale.scale, scale.zero_point] if scale.zero_point else [layer, scale.scale]
    node = helper.make_node("DequantizeLinear", inputs, [output], axis=scale.axis)
    if next((e.version for e in skeleton.opset_import if e.domain in ("", "ai.onnx")), 13) < 13:
        del node.attribute[:]  # scales by channel came with opset 13
    return with_nodes(skeleton, [*skeleton.graph.node, node]), output


def depends_on_neighbours(skeleton):
    """Tell whether a graph takes a scale from all images of a batch together."""
    return any(node.op_type in _DYNAMIC for node in skeleton.graph.node)
