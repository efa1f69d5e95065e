"""Free what constant reshapes have frozen: the number of images, and their size.

Exporters write the shape they saw into the graph. A leading 1, or the number of images that a model
declares, is the batch, and becomes "whatever comes in". A channel shuffle, written as reshape,
transpose, reshape, becomes the selection of channels that it is, which cares for no size.
"""

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from skdeepenc.backbones.graphs.graph import attribute, fed_by, short_constants, with_nodes
from skdeepenc.backbones.graphs.shapes import infer_shapes

_SWAP_GROUPS = [0, 2, 1, 3, 4]


def free_reshapes(skeleton, size, batch=1):
    """Make reshapes follow the number of images, and channel shuffles their size too.

    A reshape to ``[1, K]`` becomes ``[0, K]``, "as many rows as come in", never ``[-1, K]``, which
    would turn the positions of a larger image into more images.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights.
    size : int or (int, int)
        Side of the images that the model was made for, or height and width.
    batch : int, default=1
        The number of images that it was made for.

    Returns
    -------
    onnx.ModelProto
        The freed graph.
    """
    shapes = infer_shapes(skeleton, size, batch)
    reached = fed_by(skeleton, skeleton.graph.input[0].name)
    makers = {output: node for node in skeleton.graph.node for output in node.output}
    constants = short_constants(skeleton)
    nodes: list[NodeProto] = []
    added: list[TensorProto] = []
    for node in skeleton.graph.node:
        freed = node
        if node.op_type == "Reshape" and node.input[0] in reached:
            order = _channel_shuffle(node, makers, shapes)
            if order is not None:
                freed = _selection(node, makers, order, added)
            elif _freezes_batch(node, constants, shapes, batch):
                freed = _follow_batch(node, constants[node.input[1]], added)
        nodes.append(freed)
    return with_nodes(skeleton, nodes, added)


def _channel_shuffle(node, makers, shapes):
    """Return the order of channels that a reshape, transpose, reshape amounts to, or None."""
    transpose = makers.get(node.input[0])
    if transpose is None or transpose.op_type != "Transpose":
        return None
    split = makers.get(transpose.input[0])
    if split is None or split.op_type != "Reshape" or attribute(transpose, "perm") != _SWAP_GROUPS:
        return None
    whole, parts = shapes.get(split.input[0], ()), shapes.get(split.output[0], ())
    if len(whole) != 4 or len(parts) != 5 or shapes.get(node.output[0]) != whole:
        return None
    if parts[3:] != whole[2:]:
        return None
    return np.arange(whole[1]).reshape(parts[1:3]).T.ravel()


def _selection(node, makers, order, added):
    """Return the node that selects channels in the given order."""
    split = makers[makers[node.input[0]].input[0]]
    name = f"{node.output[0]}/order"
    added.append(numpy_helper.from_array(order.astype(np.int64), name))
    return helper.make_node("Gather", [split.input[0], name], node.output, axis=1)


def _freezes_batch(node, constants, shapes, batch):
    target = constants.get(node.input[1])
    source = shapes.get(node.input[0], ())
    is_vector = target is not None and target.ndim == 1
    return is_vector and source[:1] == (batch,) and target[:1] == [batch]


def _follow_batch(node, target, added):
    """Return a reshape whose first size is that of what comes in."""
    name = f"{node.output[0]}/shape"
    added.append(numpy_helper.from_array(np.array([0, *target[1:]], dtype=np.int64), name))
    return helper.make_node("Reshape", [node.input[0], name], node.output)
