"""What can be asked of a graph: one small record a tensor, and the names that mean it."""

import difflib
import operator
from dataclasses import dataclass

from skdeepenc.backbones.graph import fed_by, infer_shapes, pixel_input
from skdeepenc.exceptions import LayerNotFoundError

# Every stride we know divides it, so that a larger image by this much gives whole positions more.
_EXTRA_SIDE = 1920
_KINDS = {2: "vector", 3: "tokens", 4: "map"}


@dataclass(frozen=True)
class LayerInfo:
    """One tensor that can be extracted.

    Parameters
    ----------
    name : str
        Its name in the graph.
    op : str
        The ONNX operator that makes it.
    kind : {"map", "vector", "tokens"}
        Positions on a grid, one descriptor an image, or a transformer's tokens.
    channels : int
        Length of a descriptor.
    grid : tuple of int
        Rows and columns at the model's own image size; (1, n_tokens) for tokens.
    stride : int or None
        Pixels between neighbouring descriptors; None where the grid does not grow with the image.

    Examples
    --------
    >>> from skdeepenc.backbones import LayerInfo
    >>> LayerInfo("conv5", "Relu", "map", 256, (13, 13), 16).channels
    256
    """

    name: str
    op: str
    kind: str
    channels: int
    grid: tuple[int, int]
    stride: int | None


def list_layers(model, size):
    """List every tensor that can be extracted, in the order in which the graph computes them.

    Parameters
    ----------
    model : onnx.ModelProto
        A parsed model.
    size : int
        Side of the images that the model was made for.

    Returns
    -------
    list of LayerInfo
        The tensors with one row an image: maps, vectors and tokens.
    """
    shapes = infer_shapes(model, size)
    larger = infer_shapes(model, size + _EXTRA_SIDE)
    reached = fed_by(model, pixel_input(model).name)
    layers = []
    for node in model.graph.node:
        for output in node.output[:1]:  # what comes second is a mask or an index
            shape = shapes.get(output, ())
            if output in reached and len(shape) in _KINDS and shape[0] == 1 and shape[1] > 0:
                layers.append(_describe(output, node.op_type, shape, larger.get(output)))
    return layers


def _describe(name, op, shape, larger):
    kind = _KINDS[len(shape)]
    if kind == "map":
        channels, grid = shape[1], shape[2:]
    elif kind == "tokens":
        channels, grid = shape[2], (1, shape[1])
    else:
        channels, grid = shape[1], (1, 1)
    more_rows = larger[2] - shape[2] if kind == "map" and larger else 0
    stride = _EXTRA_SIDE // more_rows if more_rows > 0 else None
    return LayerInfo(name, op, kind, channels, grid, stride)


def default_layer(layers):
    """Return the name of the last map before the head, what a model nobody described gives.

    Parameters
    ----------
    layers : list of LayerInfo
        What the model offers.

    Returns
    -------
    str
        The last map with more than one position; without one, the last layer.
    """
    maps = [layer for layer in layers if layer.kind == "map" and max(layer.grid) > 1]
    return (maps or layers)[-1].name


def resolve_layers(asked, layers, model_name):
    """Turn names and positions into names.

    Parameters
    ----------
    asked : sequence of (str or int)
        Names of tensors, or positions in `layers`; negative ones count from the end.
    layers : list of LayerInfo
        What the model offers.
    model_name : str
        What to call the model in an error.

    Returns
    -------
    tuple of str
        Names.

    Raises
    ------
    LayerNotFoundError
        If a name is no tensor of the model, or a position is none.
    """
    names = [layer.name for layer in layers]
    return tuple(_resolve_layer(layer, names, model_name) for layer in asked)


def _resolve_layer(layer, names, model_name):
    if isinstance(layer, str):
        if layer in names:
            return layer
        nearest = difflib.get_close_matches(layer, names, 3, 0.4) or names[-3:]
        reason = f"nearest: {', '.join(nearest)}"
    else:
        position = operator.index(layer)
        if -len(names) <= position < len(names):
            return names[position]
        reason = f"there are {len(names)}"
    raise LayerNotFoundError(
        f"{layer!r} is not a layer of {model_name}; {reason}. "
        f"List them all with `skdeepenc layers {model_name}`."
    )
