"""Make a model of what was written: nodes that some output needs, and weights of any size.

Protobuf neither copies nor serializes a message of more than 2 GB. So a weight keeps the tensor
that it was given as, under a name of ours beside it, and is filled in field by field at the end.
"""

from onnx import helper

from skdeepenc._version import __version__
from skdeepenc.backbones.graphs.constants import subgraphs

__all__ = ["assembled"]

# What onnxruntime 1.16 and later run.
_IR_VERSION = 8


def assembled(nodes, inputs, outputs, weights, opsets):
    """Return a model, of IR version 8 or newer where an opset wants it.

    Parameters
    ----------
    nodes : list of onnx.NodeProto
        All that was written, in order; what no output needs is left out.
    inputs, outputs : list of onnx.ValueInfoProto
        What the graph takes and gives.
    weights : dict of str to onnx.TensorProto
        Constants by the name that nodes read them under.
    opsets : dict of str to int
        Versions by domain.

    Returns
    -------
    onnx.ModelProto
        The model.
    """
    needed, read = _needed(nodes, {value.name for value in outputs})
    model = helper.make_model(
        helper.make_graph(needed, "skdeepenc", inputs, outputs),
        opset_imports=[helper.make_opsetid(*opset) for opset in opsets.items()],
        ir_version=max(_IR_VERSION, _least_ir_version(opsets[""])),
        producer_name="skdeepenc",
        producer_version=__version__,
    )
    for name, tensor in weights.items():
        if name in read:
            _fill(model.graph.initializer.add(), name, tensor)
    return model


def _fill(stored, name, tensor):
    """Make a new tensor of a graph hold what another does, under another name."""
    if tensor.HasField("raw_data"):
        stored.data_type = tensor.data_type
        stored.dims.extend(tensor.dims)
        stored.raw_data = tensor.raw_data
    else:  # a few values
        stored.CopyFrom(tensor)
    stored.name = name


def _needed(nodes, names):
    """Return the nodes that values of these names come from, and the names of all that is read."""
    read, kept = set(names), []
    for node in reversed(nodes):
        if read.intersection(node.output):
            kept.append(node)
            read |= _read_by(node)
    return kept[::-1], read


def _read_by(node):
    """Return the names of what a node reads, and what the graphs inside it read or return."""
    names = set(node.input)
    for graph in subgraphs(node):
        names.update(value.name for value in graph.output)
        names = names.union(*map(_read_by, graph.node))
    return names


def _least_ir_version(opset):
    return helper.find_min_ir_version_for([helper.make_opsetid("", opset)], ignore_unknown=True)
