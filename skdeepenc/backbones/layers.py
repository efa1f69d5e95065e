"""What can be asked of a graph: one small record a tensor, and the names that mean it."""

import difflib
import operator
from dataclasses import dataclass

from skdeepenc.backbones.anatomy.head import read_by_head
from skdeepenc.backbones.graphs.shapes import EXTRA_SIDE, enlarged, infer_shapes
from skdeepenc.backbones.surgery.entrance import FRONT
from skdeepenc.backbones.transformers.tokens import CLASS_TOKEN
from skdeepenc.exceptions import LayerNotFoundError, ModelError
from skdeepenc.images.sizes import both_sides


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


def list_layers(skeleton, dense, size, anatomy):
    """List every tensor that can be extracted, in the order in which the graph computes them.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights.
    dense : onnx.ModelProto
        The same after surgery, which tells how its layers grow with the image.
    size : int or (int, int)
        Size of the images that the model was made for.
    anatomy : Anatomy
        What the tensors of the dense graph are, for images of that size.

    Returns
    -------
    list of LayerInfo
        The tensors with one row per image: maps, vectors and tokens.
    """
    larger = infer_shapes(dense, enlarged(size))
    layers = []
    for node in skeleton.graph.node:
        if node.name.startswith(FRONT):
            continue
        for position, output in enumerate(node.output):
            layout = anatomy.layouts.get(output)
            if layout is not None:
                shape = anatomy.shapes[output]
                stride = _stride(shape, larger.get(output), layout, size)
                layers.append(_describe(output, node.op_type, shape, layout, stride))
            elif output in anatomy.unread and position == 0:
                layers.append(LayerInfo(output, node.op_type, "unknown", None, None, None))
    return layers


def _describe(name, op, shape, layout, stride):
    positions = [size for axis, size in enumerate(shape) if axis not in (0, layout.channels)]
    rows, columns = (1, 1, *positions)[-2:]
    return LayerInfo(name, op, layout.kind, shape[layout.channels], (rows, columns), stride)


def _stride(shape, larger, layout, size):
    """Return the pixels between rows: from two sizes of images, or from one and their number."""
    if layout.kind != "map":
        return None
    rows = 1 if layout.channels == 3 else 2
    if larger is not None:
        more_rows = larger[rows] - shape[rows]
        return EXTRA_SIDE // more_rows if more_rows > 0 else None
    return max(both_sides(size)[0] // shape[rows], 1) if shape[rows] > 1 else None


def default_layer(layers, skeleton, anatomy, patch_size=None):
    """Return the name of the layer that the head reads, what a model nobody described gives.

    Parameters
    ----------
    layers : list of LayerInfo
        What the model offers.
    skeleton : onnx.ModelProto
        A graph without its weights.
    anatomy : Anatomy
        What its tensors are.
    patch_size : int, optional
        Side of a transformer's patch; without it tokens cannot be laid out.

    Returns
    -------
    str
        The last map before the head, or the tokens that it reads; the vector before the last one,
        which scores classes, where tokens cannot be laid out.

    Raises
    ------
    ModelError
        If there are no layers.
    """
    if not layers:
        raise ModelError("The graph computes nothing from its images that could be extracted.")
    name = read_by_head(skeleton, anatomy)
    known = {layer.name: layer for layer in layers}
    if name not in known:
        return layers[-1].name
    vectors = [layer for layer in layers if layer.kind == "vector"]
    if known[name].kind == "tokens" and not patch_size and vectors:
        return vectors[-2:][0].name
    return name


def resolve_layers(asked, layers, model_name, integers=()):
    """Turn names and positions into names.

    Parameters
    ----------
    asked : sequence of (str or int)
        Names of tensors, or positions among those of `layers` that are not class tokens; negative
        ones count from the end.
    layers : list of LayerInfo
        What the model offers.
    model_name : str
        What to call the model in an error.
    integers : set of str, optional
        Tensors of whole numbers, which stand for nothing that could be extracted.

    Returns
    -------
    tuple of str
        Names.

    Raises
    ------
    LayerNotFoundError
        If a name is not a tensor of the model, or there is no such position.
    """
    for layer in set(asked) & set(integers):
        raise LayerNotFoundError(
            f"{layer!r} of {model_name} holds whole numbers, sums or sizes, without a scale that "
            "would turn them into values. Ask for a floating-point tensor after it."
        )
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
