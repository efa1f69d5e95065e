"""Resample images in a graph as Pillow does.

Pillow filters rows first and columns then, and rounds to bytes in between. ONNX's Resize does so
too for the linear and the cubic filter. The others are matrix products with the filter's weights:

    out = W_rows round(in W_columns^T),   W[i, j] = f((j + 1/2 - (i + 1/2) s) / max(s, 1)) / sum_j

with ``s`` pixels of the input to one of the output.
"""

import math

import numpy as np

from skdeepenc.exceptions import ExportError

__all__ = ["resample", "shrink_to_grid"]

_RESIZED: dict[str, dict] = {
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
    if interpolation in _RESIZED:
        sizes = g.sides(images.side(0), height, width, 3)
        return g.Resize(
            images,
            None,
            None,
            sizes,
            antialias=1,
            exclude_outside=1,
            coordinate_transformation_mode="half_pixel",
            **_RESIZED[interpolation],
        )
    if interpolation not in ("nearest", *_FILTERS):
        raise ExportError(
            f"No graph is known for interpolation={interpolation!r}: fit the extractor with one of "
            f"{', '.join(['nearest', *_RESIZED, *_FILTERS])}."
        )
    sides = ((height, images.side(1)), (width, images.side(2)))
    if interpolation == "nearest":
        for axis, (new, old) in enumerate(sides, start=1):
            images = g.Gather(images, _nearest(g, new, old), axis=axis)
        return images
    rows, columns = (_weights(g, new, old, _FILTERS[interpolation]) for new, old in sides)
    planes = g.cast(images.transpose(0, 3, 1, 2), np.float32)
    across = _rounded(g, planes @ columns.transpose(1, 0))
    return g.cast(_rounded(g, rows @ across), np.uint8).transpose(0, 2, 3, 1)


def shrink_to_grid(g, images, rows, columns):
    """Average images (N, H, W, 3) of bytes onto a grid, as floats (N, rows, columns, 3) to 1."""
    return g.cast(resample(g, images, rows, columns, "box"), np.float32) / 255.0


def _rounded(g, values):
    return g.Clip(g.Floor(values + 0.5), 0.0, 255.0)


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
    return g.cast(g.Floor(_centres(g, new, old)), np.int64)


def _weights(g, new, old, kernel):
    """Return what each old pixel gives to each new one, of shape (new, old)."""
    centres = g.Unsqueeze(_centres(g, new, old), np.array([1]))
    # In Pillow's order of operations: the box filter has an edge that rounding decides.
    shrinking = _double(g, 1.0) / g.Max(_step(g, new, old), _double(g, 1.0))
    weights = kernel(g, (_places(g, old) - centres + _double(g, 0.5)) * shrinking)
    return g.cast(weights / weights.sum(1, keepdims=True), np.float32)


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


_FILTERS = {"box": _box, "hamming": _hamming, "lanczos": _lanczos}
