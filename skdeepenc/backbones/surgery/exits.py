"""What is done to a layer inside the graph, after it is computed.

Codes become values, blocks become channels in order, and channels are projected: what leaves the
runtime is short and means the same whatever graph it came from.
"""

from skdeepenc.backbones.anatomy.blocked import append_order
from skdeepenc.backbones.anatomy.quantisation import append_values
from skdeepenc.backbones.surgery.projection import append_projection, check_projection
from skdeepenc.exceptions import ModelError


def append_exit(skeleton, layer, anatomy):
    """Append what makes plain channels of a layer.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights.
    layer : str
        The layer.
    anatomy : Anatomy
        What the tensors of the graph are.

    Returns
    -------
    skeleton : onnx.ModelProto
        The longer graph.
    output : str
        The tensor that leaves it.
    """
    output, scale = layer, anatomy.scales.get(layer)
    if scale is not None:
        skeleton, output = append_values(skeleton, layer, scale)
    if layer in anatomy.blocked:
        skeleton, output = append_order(skeleton, layer, anatomy.blocked[layer])
    return skeleton, output


def append_projected_exit(skeleton, layer, output, anatomy, n_axes, projection):
    """Append the projection of a layer's channels.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights.
    layer : str
        The layer, as it was asked for.
    output : str
        The tensor that left the graph so far.
    anatomy : Anatomy
        What the tensors of the graph are.
    n_axes : int
        The number of axes that the layer has in this form of the graph; 0 if it is not known.
    projection : (array of shape (D,), array of shape (d, D))
        The mean and the components.

    Returns
    -------
    skeleton : onnx.ModelProto
        The longer graph.
    output : str
        The tensor that leaves it.

    Raises
    ------
    ModelError
        If the layer has another number of channels, or one that is not known.
    """
    layout = anatomy.layouts.get(layer)
    if layout is None:
        raise ModelError(f"The size of {layer!r} is not known, so it cannot be projected.")
    mean, components = projection
    check_projection(layer, mean, components, anatomy.shapes[layer][layout.channels])
    axes = n_axes or len(anatomy.shapes[layer]), layout.channels
    return append_projection(skeleton, output, axes, mean, components)
