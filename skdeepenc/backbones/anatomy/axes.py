"""What the axes of a tensor mean: images, channels, rows and columns, positions.

The number of axes does not tell: a map may have its channels last, and (heads, tokens, tokens) is
no map at all. So every axis is followed from the pixels on, as a product of *runs*: through
reshapes, which split and merge axes, a run remembers which part of which axis it is, and an axis
that comes out whole again is recognised, whatever happened to it in between.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

BATCH, CHANNELS, ROWS, COLUMNS, TOKENS, UNKNOWN = (
    *("batch", "channels", "rows", "columns", "tokens", "unknown"),
)
_POSITIONS = {ROWS, COLUMNS, TOKENS}


class Run(NamedTuple):
    """Some steps along an axis: `size` of them, `stride` apart, of `extent` in all."""

    kind: str
    extent: int
    stride: int
    size: int


# An axis is a tuple of runs, outer ones first. One step says nothing: an axis of size 1 is empty.
Axis = tuple[Run, ...]
Axes = tuple[Axis, ...]


class Layout(NamedTuple):
    """How a tensor lays out what it says of each image.

    Attributes
    ----------
    kind : {"map", "tokens", "vector"}
        Positions on a grid, a transformer's tokens, or one descriptor.
    channels : int
        The axis of channels.
    """

    kind: str
    channels: int


def whole(kind: str, size: int) -> Axis:
    """Return a whole axis."""
    return (Run(kind, size, 1, size),) if size > 1 else ()


def unknown(shape: Sequence[int]) -> Axes:
    """Return axes of which nothing is known but their sizes."""
    return tuple(whole(UNKNOWN, size) for size in shape)


def images(shape: Sequence[int]) -> Axes:
    """Return the axes of images, channels first; of what is convolved in one dimension alike."""
    kinds = (BATCH, CHANNELS, ROWS, COLUMNS) if len(shape) == 4 else (BATCH, CHANNELS, TOKENS)
    if len(shape) not in (3, 4):
        return unknown(shape)
    return tuple(map(whole, kinds, shape))


def resized(axis: Axis, size: int) -> Axis:
    """Return what an axis becomes when steps are left out or added."""
    kinds = {run.kind for run in axis}
    if size == sum_of(axis):
        return axis
    if len(kinds) == 1 and is_whole(axis):
        return whole(axis[0].kind, size)
    return whole(TOKENS if kinds and kinds <= _POSITIONS else UNKNOWN, size)


def joined(parts: Sequence[Axis], size: int) -> Axis:
    """Return the axis that pieces make one after the other."""
    kinds = {run.kind for axis in parts for run in axis}
    if len(kinds) == 1 and all(is_whole(axis) for axis in parts if axis):
        return whole(kinds.pop(), size)
    # A class token is not a position of the image; it stands among them all the same.
    return whole(TOKENS if kinds & _POSITIONS else UNKNOWN, size)


def sum_of(axis):
    """Return the size of an axis."""
    size = 1
    for run in axis:
        size *= run.size
    return size


def is_whole(axis):
    """Tell whether an axis is one whole axis, or has one step."""
    return len(axis) <= 1 and all(run.size == run.extent for run in axis)


def regroup(axes: Axes, shape: Sequence[int]) -> Axes:
    """Return the axes after a reshape, which keeps the order of values.

    Parameters
    ----------
    axes : tuple of tuple of Run
        The axes before it.
    shape : tuple of int
        The sizes after it.

    Returns
    -------
    tuple of tuple of Run
        The axes after it.
    """
    runs = [run for axis in axes for run in axis]
    regrouped = []
    for size in shape:
        axis = _take(runs, size)
        if axis is None:
            return unknown(shape)
        regrouped.append(merged(axis))
    return _settled(regrouped)


def _settled(axes: Sequence[Axis]) -> Axes:
    """Take the steps between patches as the grid, once what is inside a patch went to channels."""
    mixed = [axis for axis in axes if _is_patch(axis)]
    if len(mixed) != 1:
        return tuple(axes)
    inner = {run[:2] for run in mixed[0] if run.kind in _POSITIONS}
    outer = {run[:2] for axis in axes if axis is not mixed[0] for run in axis if _is_outer(run)}
    if not inner <= outer:
        return tuple(axes)
    return tuple(
        whole(CHANNELS, sum_of(axis)) if axis is mixed[0] else tuple(map(_coarse, axis))
        for axis in axes
    )


def _is_patch(axis):
    kinds = {run.kind for run in axis}
    return CHANNELS in kinds and bool(kinds & _POSITIONS)


def _is_outer(run):
    return run.kind in _POSITIONS and run.stride * run.size == run.extent


def _coarse(run):
    return Run(run.kind, run.size, 1, run.size) if _is_outer(run) else run


def _take(runs, size):
    """Take runs of so many steps off a list, the last of them split if need be."""
    axis = []
    while size > 1:
        if not runs:
            return None
        run = runs.pop(0)
        if size % run.size == 0:
            axis.append(run)
            size //= run.size
        elif run.size % size == 0:
            inner = run.size // size
            axis.append(run._replace(stride=run.stride * inner, size=size))
            runs.insert(0, run._replace(size=inner))
            return axis
        else:
            return None
    return axis


def merged(axis: Iterable[Run]) -> Axis:
    """Put together what a reshape had split."""
    runs: list[Run] = []
    for run in axis:
        if runs and runs[-1][:2] == run[:2] and runs[-1].stride == run.stride * run.size:
            runs[-1] = run._replace(size=runs[-1].size * run.size)
        else:
            runs.append(run)
    return tuple(runs)


def layout_of(axes, n_images):
    """Return how a tensor lays out what it says of each image, or None if it does not.

    Parameters
    ----------
    axes : tuple of tuple of Run
        The tensor's axes.
    n_images : int
        The number of images that its sizes are for.

    Returns
    -------
    Layout or None
        None for what is no layer: attention between tokens, parts of windows, sums over channels.
    """
    if not 2 <= len(axes) <= 4 or not _is(axes[0], BATCH, n_images):
        return None
    if len(axes) == 2:
        return Layout("vector", 1) if not _counts_positions(axes[1]) else None
    # Channels first in maps, last in tokens, where neither is known to be.
    orders = (1, 3) if len(axes) == 4 else (2, 1)
    fits = [order for order in orders if _fits(axes, order)]
    if not fits:
        return None
    channels = max(fits, key=lambda order: _certainty(axes, order))
    return Layout(_kind(axes, channels), channels)


def _kind(axes, channels):
    if len(axes) == 4:
        return "map"
    return "tokens" if axes[3 - channels] else "vector"


def _is(axis, kind, size):
    return axis in (whole(kind, size), whole(UNKNOWN, size))


def _counts_positions(axis):
    return bool(axis) and {run.kind for run in axis} <= _POSITIONS


def _fits(axes, channels):
    """Tell whether channels may stand on an axis, and a grid or tokens on the others."""
    axis = axes[channels]
    others = [axes[i] for i in range(1, len(axes)) if i != channels]
    return axis in ((), whole(CHANNELS, sum_of(axis)), whole(UNKNOWN, sum_of(axis))) and _is_grid(
        others
    )


def _is_grid(axes):
    flat = merged(run for axis in axes for run in axis)
    if not all(run.size == run.extent for run in flat):
        return False
    kinds = [run.kind for run in flat if run.kind != UNKNOWN]
    if len(axes) == 2:
        return kinds in ([], [ROWS], [COLUMNS], [ROWS, COLUMNS], [TOKENS])
    return kinds in ([], [ROWS, COLUMNS], [TOKENS], [ROWS], [COLUMNS])


def _certainty(axes, channels):
    """Count what speaks for channels on an axis."""
    kinds = {run.kind for run in axes[channels]}
    others = [axes[i] for i in range(1, len(axes)) if i != channels]
    positions = sum(run.kind in _POSITIONS for axis in others for run in axis)
    return positions + (2 if CHANNELS in kinds else len(kinds))
