"""Fold a linear projection, such as PCA, into the graph: maps leave the runtime already short."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from skdeepenc.backbones.graphs.graph import with_nodes
from skdeepenc.exceptions import ModelError


def append_projection(skeleton, layer, axes, mean, components):
    """Append ``(x - mean) @ components.T`` to a layer.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights.
    layer : str
        The tensor to project.
    axes : (int, int)
        Its number of axes, and which of them is that of channels: the second is projected by a
        convolution of size 1, the last by a product.
    mean : array of shape (D,)
        What is subtracted.
    components : array of shape (d, D)
        The rows on which descriptors are projected.

    Returns
    -------
    skeleton : onnx.ModelProto
        The longer graph.
    output : str
        The name of the projected tensor.
    """
    output, weight, bias = (f"{layer}/{part}" for part in ("projected", "components", "shift"))
    # In double precision: the mean of activations is large beside what is left of them.
    shift = -np.asarray(components, dtype=np.float64) @ np.asarray(mean, dtype=np.float64)
    components = np.asarray(components, dtype=np.float32)
    single = f"{layer}/single"
    nodes = [helper.make_node("Cast", [layer], [single], to=TensorProto.FLOAT)]
    rank, channels = axes
    if channels != rank - 1:
        matrix = components.reshape(*components.shape, *(1,) * (rank - 2))
        nodes += [helper.make_node("Conv", [single, weight, bias], [output])]
    else:
        matrix = components.T
        nodes += [
            helper.make_node("MatMul", [single, weight], [f"{layer}/product"]),
            helper.make_node("Add", [f"{layer}/product", bias], [output]),
        ]
    constants = [
        numpy_helper.from_array(np.ascontiguousarray(matrix), weight),
        numpy_helper.from_array(shift.astype(np.float32), bias),
    ]
    return with_nodes(skeleton, [*skeleton.graph.node, *nodes], constants), output


def check_projection(layer, mean, components, n_channels):
    """Raise a ModelError unless a projection fits the layer that it is for."""
    if np.ndim(components) != 2 or np.shape(mean) != np.shape(components)[1:]:
        raise ModelError(
            f"The projection of {layer!r} needs a mean of shape (D,) and components of shape "
            f"(d, D), not {np.shape(mean)} and {np.shape(components)}."
        )
    if n_channels is not None and len(mean) != n_channels:
        raise ModelError(
            f"The projection of {layer!r} is for {len(mean)} channels; it has {n_channels}."
        )
