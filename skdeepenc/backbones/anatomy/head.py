"""Find what a network's head reads: the layer to give where nobody asked for one.

A head turns positions into one vector. Seen from the outputs, the first tensor with positions that
all of the head hangs on is the one: the map before global pooling, or the tokens of which one is
taken.
"""

import math

from onnx import NodeProto

from skdeepenc.backbones.graphs.graph import fed_by_values, node_inputs

_ATTENTION = {"Attention", "BiasSoftmax", "MultiHeadAttention", "QLinearSoftmax", "Softmax"}
_SCORING = {"LogSoftmax", "QLinearSoftmax", "Softmax"}
# Classes of ImageNet, with and without one for the background, and of ImageNet-21k: published
# networks have these numbers of scores, and no map of theirs has as many features.
_NUMBERS_OF_CLASSES = {1000, 1001, 11221, 21841, 21843}
# fmt: off
_WEIGHING = {
    "Conv", "ConvInteger", "FusedConv", "FusedGemm", "Gemm", "MatMul", "MatMulInteger", "QGemm",
    "QLinearConv", "QLinearMatMul",
}
_PASSING = {
    "Add", "Cast", "DequantizeLinear", "DynamicQuantizeLinear", "Mul", "QLinearAdd", "QLinearMul",
    "QuantizeLinear", "Reshape", "Split", "Transpose",
}
# fmt: on


def read_by_head(skeleton, anatomy):
    """Return the layer that a network's head or its declared outputs read.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights.
    anatomy : Anatomy
        What its tensors are.

    Returns
    -------
    str or None
        The last declared output with positions; else the last tensor with positions that all
        outputs depend on, but scores of classes and the projections of an attention in the head;
        else, where no tensor has positions, what the last learnt step reads, or None.
    """
    valued = fed_by_values(skeleton)
    outputs = [value.name for value in skeleton.graph.output if value.name in valued]
    made = [name for node in skeleton.graph.node for name in node.output if name in valued]
    placed = [name for name in made if _has_positions(name, anatomy)]
    declared = [name for name in placed if name in outputs and not _is_scores(name, (), anatomy)]
    if declared:
        return declared[-1]
    necks = list(_bottlenecks(skeleton, set(outputs), valued))
    for position, (name, tail) in enumerate(necks):
        if name in placed and not _is_scores(name, tail, anatomy):
            return _before_attention(necks[position:], placed, anatomy)
    return placed[-1] if placed else _read_by_last_weights(skeleton, anatomy)


def _read_by_last_weights(skeleton, anatomy):
    """Return the vector of which the last learnt step makes the scores."""
    weighing = [node for node in skeleton.graph.node if node.op_type in _WEIGHING]
    read = [name for node in weighing[-1:] for name in node.input if name in anatomy.layouts]
    made = {name for node in skeleton.graph.node for name in node.output}
    return next((name for name in read if name in made), None)


def _has_positions(name, anatomy):
    layout = anatomy.layouts.get(name)
    if layout is None or layout.kind == "vector":
        return False
    sizes = [size for axis, size in enumerate(anatomy.shapes[name]) if axis != layout.channels]
    return math.prod(sizes[1:]) > 1


def _bottlenecks(skeleton, cut, valued):
    """Yield the tensors that all outputs hang on, last ones first, and the nodes that follow."""
    tail: list[NodeProto] = []
    for node in reversed(skeleton.graph.node):
        made = cut.intersection(node.output)
        if made and len(cut) == 1:
            yield *made, list(tail)
        if made:
            cut = cut.difference(node.output) | valued.intersection(node_inputs(node))
            tail.append(node)


def _is_scores(name, tail, anatomy):
    """Tell whether a map holds a score per class.

    Nothing learnt follows, but their softmax, or there are as many as a set of images has classes.
    """
    ops = {node.op_type for node in tail}
    if ops & _WEIGHING:
        return False
    n_channels = anatomy.shapes[name][anatomy.layouts[name].channels]
    return bool(ops & _SCORING) or n_channels in _NUMBERS_OF_CLASSES


def _before_attention(necks, placed, anatomy):
    """Return what a head reads that pools by attention: the source of its keys and values."""
    (name, tail), *earlier = necks
    if not any(_attends(node, anatomy) for node in tail):
        return name
    for source, longer in earlier:
        ops = [node.op_type for node in longer[len(tail) :]]
        if not all(op in _PASSING | _WEIGHING for op in ops):
            return name
        if _WEIGHING.intersection(ops):
            return source if source in placed else name
    return name


def _attends(node, anatomy):
    return node.op_type in _ATTENTION and len(anatomy.shapes.get(node.output[0], ())) > 2
