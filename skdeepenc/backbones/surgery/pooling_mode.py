"""Let pooling drop the border that does not fill a window, as the networks of the papers did.

Caffe rounds the size of a pooled map up, and exporters imitate it with `ceil_mode` or with padding
at the end alone. Rounded down, AlexNet gives the counts that MOP's paper names (1, 9, 64, 196, 484,
1156, 2500 descriptors) on images of side ``ceil(227 * 2 ** (s / 2))``.
"""

from skdeepenc.backbones.graphs.graph import attribute, with_nodes

_POOLING = {"MaxPool", "AveragePool", "LpPool"}


def floor_pooling(skeleton):
    """Make every pooling round down.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights.

    Returns
    -------
    onnx.ModelProto
        The graph with other pooling; padding on both ends stays.
    """
    return with_nodes(skeleton, [_rounded_down(node) for node in skeleton.graph.node])


def _rounded_down(node):
    if node.op_type not in _POOLING:
        return node
    rounded = type(node)()
    rounded.CopyFrom(node)
    pads = attribute(node, "pads", [])
    begins = pads[: len(pads) // 2]
    dropped = {"ceil_mode", "pads"} if not any(begins) else {"ceil_mode"}
    kept = [entry for entry in node.attribute if entry.name not in dropped]
    del rounded.attribute[:]
    rounded.attribute.extend(kept)
    return rounded
