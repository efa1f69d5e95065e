"""Look into an ONNX graph, and cut it.

Weights play no part in any of it, so what only looks works on a skeleton in which they are
inputs of known shape: shape inference copies its model, and weights are the bulk of one.
"""

import onnx
from onnx import TensorProto, helper

from skdeepenc.exceptions import ModelError

PIXELS = "pixels"
FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16}
# Constants as short as this may be the shapes that inference needs to see.
_SHORT_CONSTANT = 64


def free_inputs(model):
    """Return the inputs that must be fed: old files list their weights among the inputs too."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def pixel_input(model):
    """Return the one input that takes images of shape (batch, 3, height, width).

    Parameters
    ----------
    model : onnx.ModelProto
        A parsed model.

    Returns
    -------
    onnx.ValueInfoProto
        The input.

    Raises
    ------
    ModelError
        If there is none, or other inputs must be fed as well.
    """
    inputs = free_inputs(model)
    found = [value for value in inputs if takes_pixels(value)]
    if len(inputs) == 1 and len(found) == 1:
        return found[0]
    described = ", ".join(f"{value.name} {declared_shape(value)}" for value in inputs) or "none"
    raise ModelError(
        "skdeepenc feeds a model one float input of shape (batch, 3, height, width); the inputs "
        f"of this one are: {described}."
    )


def takes_pixels(value):
    """Tell whether an input takes three channels, channels first."""
    shape = declared_shape(value)
    is_float = value.type.tensor_type.elem_type in FLOATS
    return is_float and len(shape) == 4 and (shape[1] == 3 or not isinstance(shape[1], int))


def declared_shape(value):
    """Return a value's declared sizes: numbers, names, or "?" where nothing is said."""
    return tuple(
        size.dim_value if size.HasField("dim_value") else size.dim_param or "?"
        for size in value.type.tensor_type.shape.dim
    )


def declared_size(model):
    """Return the longer side of the images that a model declares, or None if it is free."""
    height, width = declared_shape(pixel_input(model))[2:]
    if isinstance(height, int) and isinstance(width, int) and min(height, width) > 0:
        return max(height, width)
    return None


def infer_shapes(model, size, batch=1):
    """Return the shape of every tensor for images of one size.

    Free sizes are no obstacle: the size of the pixels is filled in before the inference.

    Parameters
    ----------
    model : onnx.ModelProto
        A parsed model.
    size : int
        Side of the images.
    batch : int, default=1
        Number of images.

    Returns
    -------
    dict of str to tuple of int
        Shapes by name; tensors whose shape cannot be told are missing.
    """
    skeleton = _skeleton(model, (batch, 3, size, size))
    try:
        graph = onnx.shape_inference.infer_shapes(skeleton, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"The shapes of the graph contradict each other: {reason}") from error
    shapes = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        shape = declared_shape(value)
        if value.type.tensor_type.HasField("shape") and all(isinstance(n, int) for n in shape):
            shapes[value.name] = shape
    shapes.update((tensor.name, tuple(tensor.dims)) for tensor in graph.initializer)
    return shapes


def _skeleton(model, pixels_shape):
    """Copy a model with its weights turned into inputs, and without declared inner shapes."""
    skeleton = onnx.ModelProto(ir_version=max(model.ir_version, 4))
    skeleton.opset_import.extend(model.opset_import)
    skeleton.functions.extend(model.functions)
    graph = skeleton.graph
    graph.name = model.graph.name or "graph"
    graph.node.extend(model.graph.node)
    graph.input.append(pixel_input(model))
    _set_shape(graph.input[0], pixels_shape)
    graph.output.extend(helper.make_empty_tensor_value_info(v.name) for v in model.graph.output)
    for tensor in model.graph.initializer:
        if _n_values(tensor) <= _SHORT_CONSTANT:
            graph.initializer.append(tensor)
        else:
            graph.input.append(
                helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            )
    return skeleton


def _n_values(tensor):
    n_values = 1
    for size in tensor.dims:
        n_values *= size
    return n_values


def _set_shape(value, shape):
    shape_field = value.type.tensor_type.shape
    del shape_field.dim[:]
    for size in shape:
        if isinstance(size, int):
            shape_field.dim.add(dim_value=size)
        else:
            shape_field.dim.add(dim_param=size)


def node_inputs(node):
    """Return every tensor a node reads, those that its subgraphs capture from outside included."""
    names = [name for name in node.input if name]
    for attribute in node.attribute:
        subgraphs = [attribute.g] if attribute.HasField("g") else attribute.graphs
        for subgraph in subgraphs:
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


def truncate(model, outputs):
    """Keep what the given tensors need, and make them the outputs.

    Parameters
    ----------
    model : onnx.ModelProto
        A parsed model, or the result of other surgery.
    outputs : sequence of str
        Names of tensors.

    Returns
    -------
    onnx.ModelProto
        A new model that takes images of any number and size.
    """
    needed = set(outputs)
    nodes = []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            nodes.append(node)
            needed.update(node_inputs(node))
    cut = onnx.ModelProto(ir_version=max(model.ir_version, 4))
    cut.opset_import.extend(model.opset_import)
    cut.functions.extend(model.functions)
    cut.graph.name = model.graph.name or "graph"
    cut.graph.node.extend(reversed(nodes))
    cut.graph.input.append(pixel_input(model))
    _set_shape(cut.graph.input[0], ("batch", 3, "height", "width"))
    cut.graph.initializer.extend(t for t in model.graph.initializer if t.name in needed)
    cut.graph.sparse_initializer.extend(
        t for t in model.graph.sparse_initializer if t.values.name in needed
    )
    cut.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in outputs)
    return cut
