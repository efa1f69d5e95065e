"""Which axis of a graph's input holds the channels, and how many they are.

What the graph does with the input counts before what the input declares: sizes are often left free,
and an image three pixels high looks like one of three channels.
"""

from onnx import ModelProto, NodeProto

from skdeepenc.backbones.graphs.graph import attribute, node_inputs

_FIRST = 1
_LAST = 3
# What changes values and leaves axes where they are.
# fmt: off
_KEEPING_AXES = {
    "Add", "BatchNormalization", "Cast", "CastLike", "Clip", "DequantizeLinear", "Div", "Identity",
    "Max", "Min", "Mul", "Pad", "QuantizeLinear", "Relu", "Resize", "Sub", "Upsample",
}
# fmt: on
_CONVOLUTIONS = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3}
_POOLINGS = {"AveragePool", "MaxPool", "GlobalAveragePool", "GlobalMaxPool"}


def find_channels(skeleton, name, shape):
    """Find the channels of an input with four axes.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights.
    name : str
        The input.
    shape : tuple of (int or str)
        What it declares; a text stands for a size that is free.

    Returns
    -------
    axis : {1, 3}
        Where the channels are.
    channels : int
        How many they are; three where nothing tells.
    """
    axis, counted = _as_read(skeleton, name)
    if axis is None:
        axis = _as_declared(shape)
    declared = shape[axis] if isinstance(shape[axis], int) and shape[axis] > 0 else None
    return axis, declared or counted or 3


def _as_declared(shape):
    """Return the axis whose declared size is that of channels; the first where both or none is."""
    return _LAST if shape[_LAST] in (1, 3) and shape[_FIRST] not in (1, 3) else _FIRST


def _as_read(skeleton, name):
    """Return what the first node that treats axes apart tells: the axis, and the channels."""
    aliases = {name}
    for node in skeleton.graph.node:
        if not aliases.intersection(node_inputs(node)):
            continue
        if node.op_type in _KEEPING_AXES:
            aliases.add(node.output[0])
        elif node.op_type in _CONVOLUTIONS and node.input[0] in aliases:
            return _FIRST, _kernel_channels(skeleton, node)
        elif node.op_type in _POOLINGS:
            return _FIRST, None
        elif node.op_type == "Transpose":
            return _axis_of(attribute(node, "perm")), None
    return None, None


def _axis_of(permutation):
    """Return where channels were before a transposition that moves them; None if it does not."""
    return {(0, 3, 1, 2): _LAST, (0, 2, 3, 1): _FIRST}.get(tuple(permutation or ()))


def _kernel_channels(skeleton: ModelProto, node: NodeProto) -> int | None:
    """Return how many channels a convolution reads, or None if its kernel's sizes are not known."""
    kernel = node.input[_CONVOLUTIONS[node.op_type]]
    makers = {output: other for other in skeleton.graph.node for output in other.output}
    while kernel in makers and makers[kernel].op_type in ("DequantizeLinear", "Cast", "Identity"):
        kernel = makers[kernel].input[0]
    for tensor in skeleton.graph.initializer:
        if tensor.name == kernel and len(tensor.dims) == 4:
            return tensor.dims[1] * attribute(node, "group", 1)
    return None
