"""Find shapes that inference cannot tell, by running the graph once on a blank image.

Its weights are zeros made on the spot: shapes seldom depend on them, and nothing has to be read.
"""

import math

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from skdeepenc.backbones.graphs.graph import SHORT_CONSTANT, truncate
from skdeepenc.backbones.running.session import Graph
from skdeepenc.backbones.running.trial import run_once
from skdeepenc.exceptions import ModelError


def seen_shapes(skeleton, names, pixels_shape):
    """Return the shapes of tensors, as a run on blank images shows them.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights.
    names : sequence of str
        The tensors.
    pixels_shape : tuple of int
        The shape of the images.

    Returns
    -------
    dict of str to tuple of int
        Shapes by name; none where the graph does not run so.
    """
    if not names:
        return {}
    blank = truncate(skeleton, names)
    _replace_weights(blank.graph)
    seen = [f"{name}/seen" for name in names]
    blank.graph.node.extend(map(_shape_node, names, seen))
    del blank.graph.output[:]
    blank.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.INT64, None) for name in seen
    )
    try:
        shapes = run_once(
            Graph(blank.SerializeToString()), np.zeros(pixels_shape, dtype=np.float32)
        )
    except ModelError:
        return {}  # whoever asks for one of them will be told
    return {name: tuple(shape.tolist()) for name, shape in zip(names, shapes, strict=True)}


def _shape_node(name, seen):
    return helper.make_node("Shape", [name], [seen])


def _replace_weights(graph):
    """Make zeros of all that a skeleton knows no values of."""
    kept = [tensor for tensor in graph.initializer if math.prod(tensor.dims) <= SHORT_CONSTANT]
    nodes = []
    for tensor in graph.initializer:
        if math.prod(tensor.dims) > SHORT_CONSTANT:
            sizes = numpy_helper.from_array(np.array(tensor.dims), f"{tensor.name}/sizes")
            kept.append(sizes)
            zero = TensorProto(data_type=tensor.data_type, dims=[1])
            zero.raw_data = bytes(helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)
            nodes.append(
                helper.make_node("ConstantOfShape", [sizes.name], [tensor.name], value=zero)
            )
    nodes.extend(graph.node)
    copies = [type(entry).FromString(entry.SerializeToString()) for entry in (*kept, *nodes)]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(copies[: len(kept)])
    graph.node.extend(copies[len(kept) :])
