"""What draws: matplotlib, which only the displays need."""

import numpy as np
from PIL import Image

from skdeepenc._optional import require

__all__ = ["RIGHT", "WRONG", "axes_for_image", "figure_and_axes", "require_pyplot", "stretched_sum"]

# Told apart by readers who do not tell red from green, and without colours by their lines.
RIGHT = {"color": "#0072B2", "linestyle": "-"}
WRONG = {"color": "#D55E00", "linestyle": (0, (2, 1))}

_LONGER_SIDE = 5.0
_ROOM_BESIDE = 1.2


def require_pyplot():
    """Return `matplotlib.pyplot`, or say how to install it."""
    return require("matplotlib.pyplot", extra="plot", purpose="Drawing displays")


def figure_and_axes(figure, shape, cell, **shared):
    """Lay a grid of axes on a figure, or on a new one.

    Parameters
    ----------
    figure : matplotlib Figure, SubFigure or None
        Where to draw; None makes a figure.
    shape : tuple of int
        Rows and columns of the grid.
    cell : tuple of float
        Height and width of each in a new figure, in inches.
    **shared : dict
        What else `Figure.subplots` is told.

    Returns
    -------
    figure : matplotlib Figure or SubFigure
        The figure.
    axes : ndarray of matplotlib Axes of that shape
        The grid.
    """
    pyplot = require_pyplot()
    if figure is None:
        (n_rows, n_columns), (height, width) = shape, cell
        figure = pyplot.figure(figsize=(width * n_columns, height * n_rows), layout="constrained")
    return figure, figure.subplots(*shape, squeeze=False, **shared)


def axes_for_image(ax, image):
    """Return `ax`, or the axes of a new figure that an image of these proportions fills."""
    if ax is not None:
        return ax
    height, width = image.shape[:2]
    scale = _LONGER_SIDE / max(height, width)
    size = width * scale + _ROOM_BESIDE, height * scale + _ROOM_BESIDE / 2
    return require_pyplot().figure(figsize=size, layout="constrained").subplots()


def stretched_sum(maps, shape):
    """Return the sum of maps (H, W), each stretched to one shape."""
    height, width = shape
    total = np.zeros(shape, dtype=np.float32)
    for scores in maps:
        if np.size(scores):
            image = Image.fromarray(np.ascontiguousarray(scores, dtype=np.float32))
            total += np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    return total
