"""Look into an ONNX graph, and cut it.

All surgery is done on a husk: the graph without the values of its large weights. They play no part
in it, and every step would copy them.
"""

import math

import onnx
from onnx import helper, numpy_helper

from skdeepenc.backbones.constants import held_tensors, husked, lift_constants, named, subgraphs
from skdeepenc.backbones.inlining import inline_branches, inline_functions
from skdeepenc.exceptions import ModelError
from skdeepenc.images.sizes import both_sides

# Constants as short as this may be the shapes that inference needs to see.
SHORT_CONSTANT = 64
# A side longer by this much tells which maps grow with the image, and by which stride: every
# stride in use divides it.
EXTRA_SIDE = 1920


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


def without_weights(model):
    """Copy a model, leaving of each large weight only its name, type and sizes.

    All surgery is done on such a husk: a graph is small, weights are the bulk of a model.

    Parameters
    ----------
    model : onnx.ModelProto
        A parsed model.

    Returns
    -------
    onnx.ModelProto
        The husk, with the inputs that must be fed.
    """
    husk = onnx.ModelProto(ir_version=max(model.ir_version, 4))
    husk.opset_import.extend(model.opset_import)
    husk.functions.extend(model.functions)
    graph = husk.graph
    graph.name = model.graph.name or "graph"
    graph.input.extend(free_inputs(model))
    graph.output.extend(helper.make_empty_tensor_value_info(v.name) for v in model.graph.output)
    lift_constants(graph, model.graph, _shortened)
    return inline_branches(inline_functions(husk))


def _shortened(name, tensor):
    """Keep a tensor that may be a shape, and the description of a weight."""
    shorten = named if math.prod(tensor.dims) <= SHORT_CONSTANT else husked
    return shorten(name, tensor)


def with_weights(husk, model):
    """Fill a husk, in place, with the weights of the model that it was made from."""
    wanted = {tensor.name: tensor for tensor in husk.graph.initializer}
    for name, tensor in held_tensors(model.graph):
        # The graph's own come first: a branch may hold another weight of the same name.
        initializer = wanted.pop(name, None)
        if initializer is not None:
            initializer.CopyFrom(tensor)
            initializer.name = name
    return husk


def enlarged(size):
    """Return the size of images whose sides are longer by `EXTRA_SIDE`."""
    height, width = both_sides(size)
    return height + EXTRA_SIDE, width + EXTRA_SIDE


def infer_shapes(husk, size, batch=1):
    """Return the shape of every tensor for images of one size.

    Free sizes are no obstacle: the size of the pixels is filled in before the inference.

    Parameters
    ----------
    husk : onnx.ModelProto
        What `without_weights` returned, or surgery on it.
    size : int or (int, int)
        Side of the images, or height and width.
    batch : int, default=1
        Number of images.

    Returns
    -------
    dict of str to tuple of int
        Shapes by name; tensors whose shape cannot be told are missing.

    Raises
    ------
    ModelError
        If the shapes contradict each other.
    """
    return infer_tensors(husk, size, batch)[0]


def infer_tensors(husk, size, batch=1):
    """Return the shape and the type of every tensor, as far as they can be told.

    Parameters
    ----------
    husk : onnx.ModelProto
        What `without_weights` returned, or surgery on it.
    size : int or (int, int)
        Side of the images, or height and width.
    batch : int, default=1
        Number of images.

    Returns
    -------
    shapes : dict of str to tuple of int
        Shapes by name.
    types : dict of str to int
        Types by name, as ONNX numbers them; 0 for what is no tensor but a sequence of them.

    Raises
    ------
    ModelError
        If the shapes contradict each other.
    """
    model = _ready_for_inference(husk, (batch, 3, *both_sides(size)))
    try:
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"The shapes of the graph contradict each other: {reason}") from error
    shapes, types = {}, {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        shape, kind = declared_shape(value), value.type.tensor_type
        if kind.HasField("shape") and all(isinstance(n, int) for n in shape):
            shapes[value.name] = shape
        if kind.elem_type or value.type.WhichOneof("value") not in ("tensor_type", None):
            types[value.name] = kind.elem_type
    shapes.update((tensor.name, tuple(tensor.dims)) for tensor in graph.initializer)
    return shapes, types


def _ready_for_inference(husk, pixels_shape):
    """Copy a husk with its weights as inputs: inference reads them no other way without data."""
    model = onnx.ModelProto()
    model.CopyFrom(husk)
    graph = model.graph
    set_shape(graph.input[0], pixels_shape)
    short = [tensor for tensor in graph.initializer if math.prod(tensor.dims) <= SHORT_CONSTANT]
    graph.input.extend(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        for tensor in graph.initializer
        if math.prod(tensor.dims) > SHORT_CONSTANT
    )
    del graph.initializer[:]
    graph.initializer.extend(short)
    return model


def set_shape(value, shape):
    """Give a value sizes: numbers, or names for what is free."""
    shape_field = value.type.tensor_type.shape
    del shape_field.dim[:]
    for size in shape:
        if isinstance(size, int):
            shape_field.dim.add(dim_value=size)
        else:
            shape_field.dim.add(dim_param=size)


def short_constants(husk):
    """Return the constants that a husk still knows, by name: those that may be shapes or axes."""
    tensors = {
        tensor.name: tensor
        for tensor in husk.graph.initializer
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


def with_nodes(husk, nodes, constants=()):
    """Copy a husk with other nodes, and with constants that these want."""
    copy = onnx.ModelProto()
    copy.CopyFrom(husk)
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    copy.graph.initializer.extend(constants)
    return copy


def truncate(husk, outputs):
    """Keep what the given tensors need, and make them the outputs.

    Parameters
    ----------
    husk : onnx.ModelProto
        What `without_weights` returned, or surgery on it.
    outputs : sequence of str
        Names of tensors.

    Returns
    -------
    onnx.ModelProto
        The smaller husk.
    """
    needed = set(outputs)
    nodes = []
    for node in reversed(husk.graph.node):
        if needed.intersection(node.output):
            nodes.append(node)
            needed.update(node_inputs(node))
    cut = with_nodes(husk, reversed(nodes))
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
