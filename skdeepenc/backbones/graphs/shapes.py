"""The shapes and types of a graph's tensors, as onnx infers them for images of one size."""

import math

import onnx
from onnx import helper

from skdeepenc.backbones.graphs.graph import SHORT_CONSTANT, declared_shape, set_shape
from skdeepenc.exceptions import ModelError
from skdeepenc.images.sizes import both_sides

# A side longer by this much tells which maps grow with the image, and by which stride: every
# stride in use divides it.
EXTRA_SIDE = 1920


def enlarged(size):
    """Return the size of images whose sides are longer by `EXTRA_SIDE`."""
    height, width = both_sides(size)
    return height + EXTRA_SIDE, width + EXTRA_SIDE


def infer_shapes(skeleton, size, batch=1):
    """Return the shape of every tensor for images of one size.

    Free sizes are no obstacle: the size of the pixels is filled in before the inference.

    Parameters
    ----------
    skeleton : onnx.ModelProto
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
    return infer_tensors(skeleton, size, batch)[0]


def infer_tensors(skeleton, size, batch=1):
    """Return the shape and the type of every tensor, as far as they can be told.

    Parameters
    ----------
    skeleton : onnx.ModelProto
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
        Types by name, as ONNX numbers them; 0 for what is not a tensor but a sequence of them.

    Raises
    ------
    ModelError
        If the shapes contradict each other.
    """
    model = _ready_for_inference(skeleton, (batch, 3, *both_sides(size)))
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


def _ready_for_inference(skeleton, pixels_shape):
    """Copy a skeleton with its weights as inputs: without data, inference reads no others."""
    model = onnx.ModelProto()
    model.CopyFrom(skeleton)
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
