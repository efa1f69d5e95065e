"""Follow the meaning of axes through a graph, operator by operator.

What an operator does to axes is a rule of a few lines here. Operators without a rule treat values
one by one, or keep their order: their result has the axes of what they read.
"""

import numpy as np

from skdeepenc.backbones.anatomy.axes import (
    CHANNELS,
    TOKENS,
    UNKNOWN,
    Axis,
    images,
    is_whole,
    joined,
    regroup,
    resized,
    sum_of,
    unknown,
    whole,
)
from skdeepenc.backbones.graphs.graph import attribute, node_inputs

# Where products have their matrices among their inputs.
# fmt: off
_PRODUCTS = {
    "MatMul": (0, 1), "Gemm": (0, 1), "FusedMatMul": (0, 1), "FusedGemm": (0, 1),
    "MatMulInteger": (0, 1), "MatMulIntegerToFloat": (0, 1), "DynamicQuantizeMatMul": (0, 1),
    "QLinearMatMul": (0, 3), "QGemm": (0, 3), "MatMulNBits": (0, 1), "GemmFastGelu": (0, 1),
}
_CHANNELS_FIRST = {
    "AveragePool", "Conv", "ConvInteger", "ConvTranspose", "FusedConv", "GlobalAveragePool",
    "GlobalLpPool", "GlobalMaxPool", "LpPool", "MaxPool", "QLinearAveragePool", "QLinearConv",
    "QLinearGlobalAveragePool", "ReorderInput", "ReorderOutput",
}
_CHANNELS_LAST = {"NhwcConv", "NhwcFusedConv", "NhwcMaxPool"}
_RESHAPES = {"Flatten", "Reshape", "Squeeze", "Unsqueeze"}
_RESIZING = {
    "CenterCropPad", "DepthToSpace", "Pad", "Resize", "Slice", "SpaceToDepth", "Split", "Tile",
    "Upsample",
}
# fmt: on


def follow_axes(skeleton, shapes, constants):
    """Return the axes of every tensor that depends on the pixels.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights.
    shapes : dict of str to tuple of int
        Shapes for images of one size, by name.
    constants : dict of str to array
        What `short_constants` knows of the graph.

    Returns
    -------
    dict of str to tuple of tuple of Run
        Axes by name, of the tensors whose shape is known.
    """
    walk = _Walk(shapes, constants)
    pixels = skeleton.graph.input[0].name
    walk.axes[pixels] = images(shapes[pixels])
    walk.reached.add(pixels)
    for node in skeleton.graph.node:
        if walk.reached.intersection(node_inputs(node)):
            walk.visit(node)
    return walk.axes


class _Walk:
    """The axes found so far; rules read them by name."""

    def __init__(self, shapes, constants):
        self.shapes = shapes
        self.constants = constants
        self.axes = {}
        self.reached = set()

    def visit(self, node):
        """Find the axes of what a node makes."""
        rule = _rule(node)
        for output in filter(None, node.output):
            self.reached.add(output)
            shape = self.shapes.get(output)
            if shape is None:
                continue
            axes = rule(self, node, shape)
            fits = axes is not None and tuple(map(sum_of, axes)) == shape
            self.axes[output] = axes if fits else unknown(shape)

    def of(self, name):
        """Return the axes of a tensor; of one that no pixel reaches, nothing but its sizes."""
        axes = self.axes.get(name)
        if axes is None and name in self.shapes:
            return unknown(self.shapes[name])
        return axes


def _rule(node):
    name = node.op_type
    if name in _CHANNELS_FIRST or name in _CHANNELS_LAST:
        last = name in _CHANNELS_LAST or attribute(node, "channels_last", 0)
        return _channels_last if last and name != "ReorderInput" else _channels_first
    if name in _PRODUCTS:
        return _product
    if name in _RESHAPES:
        return _reshape
    if name in _RESIZING:
        return _resize
    if name.startswith("Reduce"):
        return _reduce
    return _RULES.get(name, _same)


def _channels_first(walk, node, shape):
    return images(shape)


def _channels_last(walk, node, shape):
    batch, *grid, channels = shape
    first, second, *others = images((batch, channels, *grid))
    return (first, *others, second)


def _same(walk, node, shape):
    """Take each axis from whichever input knows it, as broadcasting aligns them."""
    operands = [walk.axes[name] for name in node.input if name in walk.axes]
    return tuple(
        _known_axis(operands, size, position - len(shape)) for position, size in enumerate(shape)
    )


def _known_axis(operands, size, position):
    fitting = [
        axes[position]
        for axes in operands
        if len(axes) >= -position and sum_of(axes[position]) == size
    ]
    told = [axis for axis in fitting if not any(run.kind == UNKNOWN for run in axis)]
    return (told or fitting or [whole(UNKNOWN, size)])[0]


def _normalise(walk, node, shape):
    """A norm over the last axis is one over channels."""
    axes = _same(walk, node, shape)
    if axes[-1] == whole(UNKNOWN, shape[-1]):
        return (*axes[:-1], whole(CHANNELS, shape[-1]))
    return axes


def _transpose(walk, node, shape):
    axes = walk.of(node.input[0])
    order = attribute(node, "perm", range(len(shape))[::-1])
    return axes and tuple(axes[i] for i in order)


def _reshape(walk, node, shape):
    axes = walk.of(node.input[0])
    return axes and regroup(axes, shape)


def _resize(walk, node, shape):
    axes = walk.of(node.input[0])
    if axes is None or len(axes) != len(shape):
        return None
    return tuple(map(resized, axes, shape))


def _concatenate(walk, node, shape):
    operands = [walk.of(name) for name in node.input if walk.of(name) is not None]
    operands = [axes for axes in operands if len(axes) == len(shape)]
    axis = attribute(node, "axis", 0) % len(shape)
    axes = list(_same(walk, node, shape))
    axes[axis] = joined([axes[axis] for axes in operands], shape[axis])
    return tuple(axes)


def _gather(walk, node, shape):
    axes, indices = walk.axes.get(node.input[0]), walk.shapes.get(node.input[1])
    if axes is None or indices is None:
        return None
    axis = attribute(node, "axis", 0) % len(axes)
    chosen = [resized(axes[axis], indices[0])] if len(indices) == 1 else unknown(indices)
    return (*axes[:axis], *chosen, *axes[axis + 1 :])


def _reduce(walk, node, shape):
    axes = walk.of(node.input[0])
    if axes is None or len(axes) == len(shape):
        return axes and tuple(
            axis if size == sum_of(axis) else () for axis, size in zip(axes, shape, strict=True)
        )
    given = walk.constants.get(node.input[1]) if len(node.input) > 1 else None
    reduced = attribute(node, "axes", given)
    if reduced is None:
        return None
    gone = {int(axis) % len(axes) for axis in np.ravel(reduced)}
    return tuple(axis for i, axis in enumerate(axes) if i not in gone)


def _product(walk, node, shape):
    """Rows of the left matrix, columns of the right one; a weight's columns are channels."""
    left, right = (_matrix(walk, node, side) for side in (0, 1))
    if left is None or right is None or len(left) < 2 or len(right) < 2:
        return None
    is_weight = [node.input[i] not in walk.reached for i in _PRODUCTS[node.op_type]]
    stacked = max(left[:-2], right[:-2], key=len)
    rows = _mixed(right[-2], shape[-2]) if is_weight[0] else left[-2]
    columns = _mixed(left[-1], shape[-1]) if is_weight[1] else right[-1]
    return (*stacked, rows, columns)


def _matrix(walk, node, side):
    """Return the axes of one matrix of a product, as it is multiplied."""
    axes = walk.of(node.input[_PRODUCTS[node.op_type][side]])
    transposed = attribute(node, ("transA", "transB")[side], 0)
    return (*axes[:-2], axes[-1], axes[-2]) if axes and transposed else axes


def _mixed(axis, size):
    """Return the axis that a weight makes of another: tokens mixed, or channels."""
    if axis and all(run.kind == TOKENS for run in axis):
        return resized(axis, size) if is_whole(axis) else whole(TOKENS, size)
    return whole(CHANNELS, size)


def _einsum(walk, node, shape):
    """Read the letters; one that no pixel reaches stands for channels."""
    equation = attribute(node, "equation", b"").decode().replace(" ", "")
    inputs, arrow, output = equation.partition("->")
    if not arrow or "." in equation:
        return None
    letters: dict[str, Axis] = {}
    for name, term in zip(node.input, inputs.split(","), strict=True):
        if name in walk.axes:
            letters = dict(zip(term, walk.axes[name], strict=True)) | letters
    return tuple(
        letters.get(letter, whole(CHANNELS, size))
        for letter, size in zip(output, shape, strict=True)
    )


_RULES = {
    "Concat": _concatenate,
    "Einsum": _einsum,
    "Gather": _gather,
    "LayerNormalization": _normalise,
    "QLinearConcat": _concatenate,
    "SkipLayerNormalization": _normalise,
    "Transpose": _transpose,
}
