"""Look into an ONNX graph, and cut it."""

import math

import onnx
from onnx import helper, numpy_helper

from skdeepenc.backbones.graphs.constants import subgraphs
from skdeepenc.exceptions import ModelError

# Constants as short as this may be the shapes that inference needs to see.
SHORT_CONSTANT = 64
_MEASURING = {"Shape", "Size"}


def free_inputs(model):
    """Return the inputs that must be fed: old files list their weights among the inputs too."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def declared_shape(value):
    """Return a value's declared sizes: numbers, names, or "?" where nothing is said."""
    return tuple(
        size.dim_value if size.HasField("dim_value") else size.dim_param or "?"
        for size in value.type.tensor_type.shape.dim
    )


def set_shape(value, shape):
    """Give a value sizes: numbers, or names for what is free."""
    shape_field = value.type.tensor_type.shape
    del shape_field.dim[:]
    for size in shape:
        if isinstance(size, int):
            shape_field.dim.add(dim_value=size)
        else:
            shape_field.dim.add(dim_param=size)


def short_constants(skeleton):
    """Return the constants whose values a skeleton keeps, by name: they may be shapes or axes."""
    tensors = {
        tensor.name: tensor
        for tensor in skeleton.graph.initializer
        if math.prod(tensor.dims) <= SHORT_CONSTANT
    }
    try:
        return {name: numpy_helper.to_array(tensor) for name, tensor in tensors.items()}
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f"A constant of the graph is damaged: {error}") from error


def attribute(node, name, default=None):
    """Return a node's attribute as a plain value."""
    for entry in node.attribute:
        if entry.name == name:
            return helper.get_attribute_value(entry)
    return default


def node_inputs(node):
    """Return every tensor a node reads, those that its subgraphs capture from outside included."""
    names = [name for name in node.input if name]
    for subgraph in subgraphs(node):
        for inner in subgraph.node:
            names.extend(node_inputs(inner))
        names.extend(value.name for value in subgraph.output)
    return names


def fed_by(model, name):
    """Return every tensor that depends on the tensor `name`, itself included."""
    reached = {name}
    for node in model.graph.node:
        if reached.intersection(node_inputs(node)):
            reached.update(output for output in node.output if output)
    return reached


def fed_by_values(skeleton):
    """Return the tensors that depend on the values of the pixels, not on their number alone."""
    valued = {skeleton.graph.input[0].name}
    for node in skeleton.graph.node:
        if node.op_type not in _MEASURING and valued.intersection(node_inputs(node)):
            valued.update(filter(None, node.output))
    return valued


def with_nodes(skeleton, nodes, constants=()):
    """Copy a skeleton with other nodes, and with constants that these want."""
    copy = onnx.ModelProto()
    copy.CopyFrom(skeleton)
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    copy.graph.initializer.extend(constants)
    return copy


def truncate(skeleton, outputs):
    """Keep what the given tensors need, and make them the outputs.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        What `without_weights` returned, or surgery on it.
    outputs : sequence of str
        Names of tensors.

    Returns
    -------
    onnx.ModelProto
        The smaller skeleton.
    """
    needed = set(outputs)
    nodes = []
    for node in reversed(skeleton.graph.node):
        if needed.intersection(node.output):
            nodes.append(node)
            needed.update(node_inputs(node))
    cut = with_nodes(skeleton, reversed(nodes))
    graph = cut.graph
    _keep(graph.initializer, lambda tensor: tensor.name in needed)
    _keep(graph.sparse_initializer, lambda tensor: tensor.values.name in needed)
    del graph.output[:]
    graph.output.extend(helper.make_empty_tensor_value_info(name) for name in outputs)
    _name_pieces(graph)
    return cut


def _name_pieces(graph):
    """Name the pieces of splits that nobody reads: onnxruntime crashes where they have no name."""
    for position, node in enumerate(graph.node):
        if node.op_type == "Split":
            node.output[:] = [
                name or f"unread/{position}/{i}" for i, name in enumerate(node.output)
            ]


def _keep(entries, wanted):
    kept = [entry for entry in entries if wanted(entry)]
    del entries[:]
    entries.extend(kept)
