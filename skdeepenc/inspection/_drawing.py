"""What draws: matplotlib, which only the displays need."""

import numpy as np
from PIL import Image

from skdeepenc._optional import require

__all__ = [
    "RIGHT",
    "WRONG",
    "add_colorbar",
    "axes_for_image",
    "draw_over_grey",
    "figure_and_axes",
    "require_pyplot",
    "stretched_sum",
]

# Told apart by readers who do not tell red from green, and without colours by their lines.
RIGHT = {"color": "#0072B2", "linestyle": "-"}
WRONG = {"color": "#D55E00", "linestyle": (0, (2, 1))}

_LONGER_SIDE = 5.0
# For a scale of colours, and for a title.
_ROOM_BESIDE, _ROOM_ABOVE = 1.2, 0.4


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
    size = width * scale + _ROOM_BESIDE, height * scale + _ROOM_ABOVE
    return require_pyplot().figure(figsize=size, layout="constrained").subplots()


def draw_over_grey(axes, image, values, *, strongest, cmap, alpha):
    """Draw an image in grey, and over it values in colour: the further from zero, the denser."""
    axes.imshow(np.mean(image, axis=-1), cmap="gray")  # its colours would mix with ours
    limits = {"vmin": -strongest, "vmax": strongest}
    drawn = axes.imshow(values, cmap=_clear_in_the_middle(cmap), alpha=alpha, **limits)
    axes.set(xticks=[], yticks=[])
    return drawn


def _clear_in_the_middle(cmap):
    """Return a colormap whose middle, where nothing is to be said, does not veil the image."""
    from matplotlib.colors import ListedColormap

    known = require_pyplot().get_cmap(cmap)
    places = np.linspace(0, 1, 256)
    colors = known(places)
    colors[:, 3] *= np.sqrt(np.abs(2 * places - 1))
    return ListedColormap(colors, name=known.name)


def add_colorbar(drawn, label):
    """Draw the scale of colours beside an image, and exactly as high."""
    from matplotlib.transforms import Bbox

    def beside(bar, renderer):
        """Keep the place that the layout gave, and take the height that the image has in it."""
        drawn.axes.apply_aspect()
        place, image = bar.get_position(original=True), drawn.axes.get_position()
        return Bbox.from_extents(place.x0, image.y0, place.x1, image.y1)

    bar = drawn.axes.figure.colorbar(drawn, ax=drawn.axes, label=label).ax
    bar.set_axes_locator(beside)


def stretched_sum(maps, shape):
    """Return the sum of maps (H, W), each stretched to one shape."""
    height, width = shape
    total = np.zeros(shape, dtype=np.float32)
    for scores in maps:
        if np.size(scores):
            image = Image.fromarray(np.ascontiguousarray(scores, dtype=np.float32))
            total += np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    return total
