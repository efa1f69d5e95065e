"""What can be asked of a graph: one small record a tensor, and the names that mean it."""

import difflib
import math
import operator
from dataclasses import dataclass

from skdeepenc.backbones.entrance import FRONT
from skdeepenc.backbones.graph import EXTRA_SIDE, enlarged, fed_by, infer_shapes
from skdeepenc.backbones.tokens import CLASS_TOKEN
from skdeepenc.exceptions import LayerNotFoundError, ModelError

# A damaged size is far larger; the largest tensors in use hold a hundredth of it.
MAX_VALUES = 2**31
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
    kind : {"map", "vector", "tokens", "class token", "unknown"}
        Positions on a grid, one descriptor per image, a transformer's tokens, of which the patches
        become a map, or its class token; unknown where the graph does not tell before it runs.
    channels : int or None
        Length of a descriptor.
    grid : tuple of int or None
        Rows and columns at the model's own image size; (1, n_tokens) for tokens that stand for no
        patches.
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
    channels: int | None
    grid: tuple[int, int] | None
    stride: int | None


def list_layers(husk, dense, size):
    """List every tensor that can be extracted, in the order in which the graph computes them.

    Parameters
    ----------
    husk : onnx.ModelProto
        A graph without its weights.
    dense : onnx.ModelProto
        The same after surgery, which tells how its layers grow with the image.
    size : int or (int, int)
        Side of the images that the model was made for, or height and width.

    Returns
    -------
    list of LayerInfo
        The tensors with one row an image: maps, vectors and tokens.

    Raises
    ------
    ModelError
        If a tensor would hold more than any network's.
    """
    shapes = infer_shapes(dense, size)
    _check_sizes(shapes)
    larger = infer_shapes(dense, enlarged(size))
    reached = fed_by(husk, husk.graph.input[0].name)
    layers = []
    for node in husk.graph.node:
        output = node.output[0]  # what comes second is a mask or an index
        shape = shapes.get(output)
        if output in reached and _is_layer(shape) and not node.name.startswith(FRONT):
            layers.append(_describe(output, node.op_type, shape, larger.get(output)))
    return layers


def _check_sizes(shapes):
    """Refuse a damaged graph before it asks the system for all memory there is."""
    for name, shape in shapes.items():
        if math.prod(shape) > MAX_VALUES:
            raise ModelError(f"The tensor {name!r} would hold {math.prod(shape)} values.")


def _is_layer(shape):
    """Tell whether a tensor may hold one descriptor or map an image."""
    if shape is None:
        return True
    return len(shape) in _KINDS and shape[0] == 1 and min(shape) > 0


def _describe(name, op, shape, larger):
    if shape is None:
        return LayerInfo(name, op, "unknown", None, None, None)
    kind = _KINDS[len(shape)]
    if kind == "tokens":
        return LayerInfo(name, op, kind, shape[2], (1, shape[1]), None)
    if kind == "vector":
        return LayerInfo(name, op, kind, shape[1], (1, 1), None)
    more_rows = larger[2] - shape[2] if larger else 0
    stride = EXTRA_SIDE // more_rows if more_rows > 0 else None
    return LayerInfo(name, op, kind, shape[1], shape[2:], stride)


def default_layer(layers, patch_size=None):
    """Return the name of the last map before the head, what a model nobody described gives.

    Parameters
    ----------
    layers : list of LayerInfo
        What the model offers.
    patch_size : int, optional
        Side of a transformer's patch; without it tokens cannot be laid out.

    Returns
    -------
    str
        The last map with more than one position. Of a transformer, whose only map are its patches
        before they are read: the last tokens, or the vector before the last one, which scores
        classes.

    Raises
    ------
    ModelError
        If there are no layers.
    """
    if not layers:
        raise ModelError("The graph makes nothing of its images that could be extracted.")
    maps = [layer for layer in layers if layer.kind == "map" and max(layer.grid) > 1]
    tokens = [layer for layer in layers if layer.kind == "tokens"]
    vectors = [layer for layer in layers if layer.kind == "vector"]
    if tokens and len(maps) <= 1:
        return tokens[-1].name if patch_size or not vectors else vectors[-2:][0].name
    return (maps or layers)[-1].name


def resolve_layers(asked, layers, model_name):
    """Turn names and positions into names.

    Parameters
    ----------
    asked : sequence of (str or int)
        Names of tensors, or positions among those of `layers` that are no class tokens; negative
        ones count from the end.
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
    return tuple(_resolve_layer(layer, layers, model_name) for layer in asked)


def _resolve_layer(layer, layers, model_name):
    names = [info.name for info in layers]
    if isinstance(layer, str):
        if layer in names:
            return layer
        reason = _why_missing(layer, names)
    else:
        names = [info.name for info in layers if info.kind != "class token"]
        position = operator.index(layer)
        if -len(names) <= position < len(names):
            return names[position]
        reason = f"there are {len(names)}"
    file = model_name if model_name.endswith(".onnx") else "MODEL.onnx"
    raise LayerNotFoundError(
        f"{layer!r} is not a layer of {model_name}; {reason}. "
        f"List them all with `skdeepenc layers {file}`."
    )


def _why_missing(layer, names):
    """Return why there is no such name: what holds no class token, or the nearest names."""
    if layer.removesuffix(CLASS_TOKEN) in names:
        holders = [name for name in names if name.endswith(CLASS_TOKEN)][-3:]
        nearest = f"the last that do: {', '.join(holders)}" if holders else "no layer does"
        return f"{layer.removesuffix(CLASS_TOKEN)!r} holds no class token; {nearest}"
    return f"nearest: {', '.join(difflib.get_close_matches(layer, names, 3, 0.4) or names[-3:])}"
