"""Read tensors whose channels stand in blocks, as onnxruntime's own optimiser lays them out.

A graph that onnxruntime optimised for a processor and saved keeps maps as rows of blocks of 8 or 16
channels, filled up with zeros. One operator of its own puts them in order again.
"""

from onnx import helper

from skdeepenc.backbones.graphs.graph import attribute, with_nodes

DOMAIN = "com.microsoft.nchwc"
_MIXING = {"Concat", "Conv", "ReorderInput"}


def find_blocked(skeleton, shapes):
    """Return how many channels the tensors in blocks have, by name.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights.
    shapes : dict of str to tuple of int
        Shapes by name; channels in blocks are counted with what they are filled up with.

    Returns
    -------
    dict of str to int
        Channels, without filling where the graph tells.
    """
    blocked: set[str] = set()
    for node in skeleton.graph.node:
        own = node.domain == DOMAIN
        if own or blocked.intersection(node.input):
            blocked.update(node.output if node.op_type != "ReorderOutput" else ())
    channels = {}
    for node in reversed(skeleton.graph.node if blocked else ()):
        if node.op_type == "ReorderOutput":
            channels[node.input[0]] = attribute(node, "channels")
        elif node.op_type not in _MIXING and node.output[0] in channels:
            channels.update((name, channels[node.output[0]]) for name in node.input)
    return {
        name: channels.get(name, shapes[name][1])
        for name in blocked
        if len(shapes.get(name, ())) == 4
    }


def append_order(skeleton, layer, channels):
    """Append what puts the channels of a layer in order; return the graph and the output."""
    output = f"{layer}/ordered"
    node = helper.make_node("ReorderOutput", [layer], [output], domain=DOMAIN, channels=channels)
    return with_nodes(skeleton, [*skeleton.graph.node, node]), output
