"""What draws: matplotlib, which only the displays need."""

from skdeepenc._optional import require

__all__ = ["figure_and_axes", "require_pyplot"]


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
