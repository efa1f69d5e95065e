"""Resample images in a graph as Pillow does.

Pillow filters along rows first and along columns then, and rounds to bytes in between. ONNX's
Resize does so too for the linear and the cubic filter. The others are products with the filter's
weights, of the columns and of the rows:

    out = round(C round(in R^T)),   R[i, j] = f((j + 1/2 - (i + 1/2) s) / max(s, 1)) / sum_j

with ``s`` pixels of the input to one of the output. From version 13 on Pillow filters along columns
first where the height shrinks by more than twice what the width does, in pixels.
"""

import math
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from skdeepenc.exceptions import ExportError

__all__ = ["resample", "shrink_to_grid"]

_RESIZED: dict[str, dict[str, Any]] = {
    "bilinear": {"mode": "linear"},
    "bicubic": {"mode": "cubic", "cubic_coeff_a": -0.5},
}


def resample(g, images, height, width, interpolation):
    """Resample images to a size.

    Parameters
    ----------
    g : GraphWriter
        The graph.
    images : Tensor of shape (N, H, W, 3), uint8
        The images.
    height, width : int or Tensor of shape (1,)
        The new size.
    interpolation : str
        One of Pillow's filters, by its name in lower case.

    Returns
    -------
    Tensor of shape (N, height, width, 3), uint8
        The images in that size.
    """
    if interpolation == "nearest":
        for axis, side in ((1, height), (2, width)):
            images = g.Gather(images, _nearest(g, side, images.side(axis)), axis=axis)
        return images
    if interpolation in _RESIZED:
        if _pillow_starts_with_columns():
            # A height that has its size already is left as it is, and so is an image.
            first = g.Where(_is_tall(g, images, height, width), images.side(2), g.sides(width))
            images = _resized(g, images, height, first, interpolation)
        return _resized(g, images, height, width, interpolation)
    if interpolation not in _FILTERS:
        raise ExportError(
            f"No graph is known for interpolation={interpolation!r}: fit the extractor with one of "
            f"{', '.join(['nearest', *_RESIZED, *_FILTERS])}."
        )
    return _multiplied(g, images, height, width, _FILTERS[interpolation])


def shrink_to_grid(g, images, rows, columns):
    """Average images (N, H, W, 3) of bytes onto a grid, as floats (N, rows, columns, 3) to 1."""
    return g.cast(resample(g, images, rows, columns, "box"), np.float32) / 255.0


@cache
def _pillow_starts_with_columns():
    """Tell whether the installed Pillow, which Python resamples with, does so to tall images."""
    tall = Image.fromarray((np.arange(40 * 8) ** 2 % 251).astype(np.uint8).reshape(40, 8))
    return tall.resize((6, 4)) != tall.resize((6, 40)).resize((6, 4))


def _is_tall(g, images, height, width):
    """Tell, in a graph, whether Pillow filters along columns first."""
    lost = [images.side(axis) - g.sides(side) for axis, side in ((1, height), (2, width))]
    return lost[0] > g.Max(lost[1], np.array([0])) * 2


def _resized(g, images, height, width, interpolation):
    return g.Resize(
        images,
        None,
        None,
        g.sides(images.side(0), height, width, 3),
        antialias=1,
        exclude_outside=1,
        coordinate_transformation_mode="half_pixel",
        **_RESIZED[interpolation],
    )


def _multiplied(g, images, height, width, filter_):
    """Resample by products with a filter's weights."""
    down, across = (
        _weights(g, new, images.side(axis), filter_) for axis, new in ((1, height), (2, width))
    )
    across = across.transpose(1, 0)
    planes = g.cast(images.transpose(0, 3, 1, 2), np.float64)

    def rows_first():
        return _rounded(g, down @ _rounded(g, planes @ across))

    def columns_first():
        return _rounded(g, _rounded(g, down @ planes) @ across)

    if _pillow_starts_with_columns():
        tall = _is_tall(g, images, height, width)
        planes = g.choose(tall, columns_first, rows_first)
    else:
        planes = rows_first()
    return g.cast(planes, np.uint8).transpose(0, 2, 3, 1)


def _rounded(g, values):
    levels = g.Floor(values + _double(g, 0.5))
    return g.Clip(levels, _double(g, 0.0), _double(g, 255.0))


def _places(g, n_pixels):
    """Return 0, 1, 2 ... for so many pixels."""
    # Counted in whole numbers: onnxruntime mistakes the type of ranges of known ends.
    places = g.Range(np.array(0), g.Squeeze(g.sides(n_pixels)), np.array(1))
    return g.cast(places, np.float64)


def _step(g, new, old):
    """Return how many old pixels there are to a new one."""
    new, old = (g.cast(g.sides(side), np.float64) for side in (new, old))
    return old / new


def _centres(g, new, old):
    """Return the middles of new pixels, in pixels of the old image."""
    return (_places(g, new) + _double(g, 0.5)) * _step(g, new, old)


def _nearest(g, new, old):
    # Step by step, as Pillow goes: where a middle falls between two pixels, rounding decides.
    step = _step(g, new, old)
    steps = g.Where(_places(g, new) > _double(g, 0.0), step, step * _double(g, 0.5))
    return g.cast(g.CumSum(steps, np.array(0)), np.int64)


def _weights(g, new, old, filter_):
    """Return what each old pixel gives to each new one, of shape (new, old)."""
    kernel, support = filter_
    half = _double(g, 0.5)
    places = _places(g, old)
    centres = g.Unsqueeze(_centres(g, new, old), np.array([1]))
    # In Pillow's order of operations: the box filter has an edge that rounding decides.
    shrinking = g.Max(_step(g, new, old), _double(g, 1.0))
    weights = kernel(g, (places - centres + half) * (_double(g, 1.0) / shrinking))
    reach = shrinking * _double(g, support)
    begins, ends = g.Floor(centres - reach + half), g.Floor(centres + reach + half)
    weights = g.Where(g.And(places >= begins, places < ends), weights, _double(g, 0.0))
    # Whole numbers of 22 bits, so that halves of levels are rounded as Pillow rounds them.
    units = weights / weights.sum(1, keepdims=True) * _double(g, 2.0**22)
    return g.Sign(units) * g.Floor(g.Abs(units) + half) / _double(g, 2.0**22)


def _double(g, value):
    return g.constant(value, np.float64)


def _box(g, x):
    inside = g.And(x > _double(g, -0.5), g.LessOrEqual(x, _double(g, 0.5)))
    return g.cast(inside, np.float64)


def _sinc(g, x):
    turns = x * _double(g, math.pi)
    at_zero = g.Equal(x, _double(g, 0.0))
    return g.Where(
        at_zero, _double(g, 1.0), g.Sin(turns) / g.Where(at_zero, _double(g, 1.0), turns)
    )


def _within(g, x, reach, values):
    return g.Where(g.Abs(x) < _double(g, reach), values, _double(g, 0.0))


def _hamming(g, x):
    # A cosine is a sine a quarter of a turn later; onnxruntime has no cosine in double precision.
    cosine = g.Sin((x + _double(g, 0.5)) * _double(g, math.pi))
    return _within(g, x, 1.0, _sinc(g, x) * (cosine * _double(g, 0.46) + _double(g, 0.54)))


def _lanczos(g, x):
    return _within(g, x, 3.0, _sinc(g, x) * _sinc(g, x / _double(g, 3.0)))


# By name the filter, and how far it reaches.
_FILTERS = {"box": (_box, 0.5), "hamming": (_hamming, 1.0), "lanczos": (_lanczos, 3.0)}
