"""What a graph's tensors are, found once: shapes, the meaning of axes, the worth of codes."""

import math
from typing import NamedTuple

from skdeepenc.backbones.anatomy.axes import COLUMNS, ROWS, Layout, is_whole, layout_of
from skdeepenc.backbones.anatomy.axis_rules import follow_axes
from skdeepenc.backbones.anatomy.blank_run import seen_shapes
from skdeepenc.backbones.anatomy.blocked import find_blocked
from skdeepenc.backbones.anatomy.quantisation import FLOATS, Scale, find_scales
from skdeepenc.backbones.graphs.graph import fed_by, short_constants
from skdeepenc.backbones.graphs.shapes import infer_tensors
from skdeepenc.exceptions import ModelError
from skdeepenc.images.sizes import both_sides

# A damaged size is far larger; the largest tensors in use hold a hundredth of it.
MAX_VALUES = 2**31


class Anatomy(NamedTuple):
    """What is known of a graph's tensors, for images of one size.

    Attributes
    ----------
    shapes : dict of str to tuple of int
        Shapes by name.
    layouts : dict of str to Layout
        Of the tensors that can be layers.
    scales : dict of str to Scale
        Of the tensors that hold codes.
    blocked : dict of str to int
        Channels of the tensors that hold them in blocks.
    integers : set of str
        Tensors of whole numbers that stand for nothing one could extract.
    unread : set of str
        Tensors of which not even the shape could be found out.
    grid : (int, int) or None
        Rows and columns of the map that was laid out as tokens.
    """

    shapes: dict[str, tuple[int, ...]]
    layouts: dict[str, Layout]
    scales: dict[str, Scale]
    blocked: dict[str, int]
    integers: set[str]
    unread: set[str]
    grid: tuple[int, int] | None


def examine(skeleton, size, n_images=1):
    """Find out what a graph's tensors are.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights.
    size : int or (int, int)
        Side of the images, or height and width.
    n_images : int, default=1
        The number of images that the graph takes at once.

    Returns
    -------
    Anatomy
        What was found.

    Raises
    ------
    ModelError
        If a tensor would hold more than any network's.
    """
    reached = fed_by(skeleton, skeleton.graph.input[0].name)
    shapes, types = infer_tensors(skeleton, size, n_images)
    _check_sizes(shapes)
    scales = find_scales(skeleton)
    numbers = {name for name, kind in types.items() if kind not in FLOATS and name not in scales}
    # A type of 0 is that of a sequence, which has no shape.
    missing = [
        name for name in _made(skeleton, reached) if name not in shapes and types.get(name, 1)
    ]
    shapes.update(seen_shapes(skeleton, missing, (n_images, 3, *both_sides(size))))
    blocked = find_blocked(skeleton, shapes)
    for name, channels in blocked.items():
        shapes[name] = (shapes[name][0], channels, *shapes[name][2:])
    axes = follow_axes(skeleton, shapes, short_constants(skeleton))
    layouts = {
        name: layout
        for name in axes
        if name not in numbers and min(shapes[name], default=0) > 0
        if (layout := layout_of(axes[name], n_images)) is not None
    }
    unread = {name for name in missing if name not in shapes.keys() | numbers}
    return Anatomy(shapes, layouts, scales, blocked, numbers, unread, _token_grid(axes))


def _token_grid(axes):
    """Return the rows and columns of the first map whose positions became one axis."""
    pairs = [axis for tensor in axes.values() for axis in tensor if len(axis) == 2]
    for rows, columns in pairs:
        if (
            (rows.kind, columns.kind) == (ROWS, COLUMNS)
            and is_whole((rows,))
            and is_whole((columns,))
        ):
            return rows.size, columns.size
    return None


def _check_sizes(shapes):
    """Refuse a damaged graph before it asks the system for all memory there is."""
    for name, shape in shapes.items():
        if math.prod(shape) > MAX_VALUES:
            raise ModelError(f"The tensor {name!r} would hold {math.prod(shape)} values.")


def _made(skeleton, reached):
    return [name for node in skeleton.graph.node for name in node.output if name in reached]
