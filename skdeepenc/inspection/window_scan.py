"""The window of an image that a classifier likes best: "scene detection"."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from skdeepenc._typing import ImageSource
from skdeepenc.images import decode_image
from skdeepenc.inspection._classes import score_class
from skdeepenc.inspection._drawing import axes_for_image, require_pyplot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ScoredWindow", "WindowScanDisplay", "best_window"]

# Yellow between black lines is seen on whatever the image shows.
FRAME_COLOR = "#F0E442"


class ScoredWindow(NamedTuple):
    """A window of an image and its score.

    Attributes
    ----------
    box : tuple of int
        Rows and columns of the image, half open: y0, x0, y1, x1.
    width : int
        Width of the window in the resized image.
    score : float
        What the classifier gives it.
    """

    box: tuple[int, int, int, int]
    width: int
    score: float


def best_window(
    pipeline: Any,
    image: ImageSource,
    class_: Any,
    widths: Sequence[int] = (224, 192, 160, 128),
    stride: int = 16,
    *,
    image_size: int = 256,
) -> ScoredWindow:
    """Find the window of an image with the highest score for a class.

    The image is resized to a square; every square window of the given widths is classified as an
    image of its own.

    Parameters
    ----------
    pipeline : estimator
        Takes a list of images; fitted, with `decision_function` or `predict_proba`.
    image : path, bytes, PIL.Image.Image or array
        The image to scan.
    class_ : label
        One of the classifier's classes.
    widths : sequence of int, default=(224, 192, 160, 128)
        Widths of the windows in pixels of the resized image.
    stride : int, default=16
        Pixels from one window to the next.
    image_size : int, default=256
        Side of the square to which the image is resized.

    Returns
    -------
    ScoredWindow
        The window, in pixels of the image as it was given, and its score.

    Raises
    ------
    ValueError
        If a window is wider than the resized image, or there is no window.
    ClassifierError
        If the classifier does not know the class.

    Notes
    -----
    Section 2 and figure 5 of Gong, Wang, Guo and Lazebnik, "Multi-scale Orderless Pooling of Deep
    Convolutional Activation Features", ECCV 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from skdeepenc.inspection import best_window
    >>> def brightness(images):
    ...     return np.array([[np.mean(image) / 255] for image in images])
    >>> pipeline = make_pipeline(FunctionTransformer(brightness), LogisticRegression())
    >>> dark, bright = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    >>> pipeline = pipeline.fit([dark, bright], ["night", "day"])
    >>> image = np.concatenate([dark, dark, bright, dark], axis=1)
    >>> best_window(pipeline, image, "day", widths=[64], stride=64).box
    (0, 16, 2, 24)
    """
    pixels = decode_image(image)
    boxes = _windows(tuple(widths), stride, image_size)
    square = Image.fromarray(pixels).resize((image_size,) * 2, Image.Resampling.BILINEAR)
    warped = np.asarray(square)
    scores = score_class(pipeline, [warped[y0:y1, x0:x1] for y0, x0, y1, x1 in boxes], class_)
    best = int(np.argmax(scores))
    scale = np.array(pixels.shape[:2] * 2) / image_size
    y0, x0, y1, x1 = (int(edge) for edge in np.round(boxes[best] * scale))
    width = int(boxes[best][2] - boxes[best][0])
    return ScoredWindow((y0, x0, y1, x1), width, float(scores[best]))


def _windows(widths, stride, image_size):
    """Return the boxes (n, 4) of all windows, y0, x0, y1, x1."""
    if stride < 1 or not widths or not all(1 <= width <= image_size for width in widths):
        raise ValueError(
            f"Windows need a stride of 1 or more, and widths from 1 to the image's {image_size}; "
            f"got widths={widths}, stride={stride}."
        )
    boxes = []
    for width in widths:
        starts = np.arange(0, image_size - width + 1, stride)
        y0, x0 = (axis.ravel() for axis in np.meshgrid(starts, starts, indexing="ij"))
        boxes.append(np.stack([y0, x0, y0 + width, x0 + width], axis=1))
    return np.concatenate(boxes)


class WindowScanDisplay:
    """Draw the window that scores best for a class.

    Make one with `from_estimator`, which draws it; `plot` draws it again without scanning.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3)
        The image.
    window : ScoredWindow
        The window to frame.
    class_name : str or None, default=None
        What to write above the image.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the last `plot` drew.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    frame_ : matplotlib Rectangle
        The frame that the last `plot` drew.

    See Also
    --------
    best_window : Finds the window.
    ConfidenceMapDisplay : Scores of every place.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.inspection import WindowScanDisplay
    >>> from skdeepenc.inspection.window_scan import ScoredWindow
    >>> window = ScoredWindow(box=(2, 0, 6, 4), width=128, score=1.5)
    >>> display = WindowScanDisplay(image=np.zeros((8, 8, 3)), window=window, class_name="tower")
    >>> display.plot().ax_.get_title()
    'tower, score 1.50'
    """

    def __init__(
        self, *, image: NDArray[Any], window: ScoredWindow, class_name: str | None = None
    ) -> None:
        self.image = image
        self.window = window
        self.class_name = class_name

    @classmethod
    def from_estimator(
        cls,
        pipeline: Any,
        image: ImageSource,
        class_: Any,
        widths: Sequence[int] = (224, 192, 160, 128),
        stride: int = 16,
        *,
        image_size: int = 256,
        ax: "Axes | None" = None,
    ) -> Self:
        """Scan an image with a fitted pipeline, and draw the window that scores best.

        Parameters
        ----------
        pipeline : estimator
            Takes a list of images; fitted, with `decision_function` or `predict_proba`.
        image : path, bytes, PIL.Image.Image or array
            The image to scan.
        class_ : label
            One of the classifier's classes.
        widths : sequence of int, default=(224, 192, 160, 128)
            Widths of the windows in pixels of the resized image.
        stride : int, default=16
            Pixels from one window to the next.
        image_size : int, default=256
            Side of the square to which the image is resized.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        WindowScanDisplay
            Drawn, with `ax_`, `figure_` and `frame_`; `plot` draws it again.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed; nothing is computed then.
        ValueError
            If a window is wider than the resized image, or there is no window.
        ClassifierError
            If the classifier does not know the class.
        """
        require_pyplot()
        window = best_window(pipeline, image, class_, widths, stride, image_size=image_size)
        display = cls(image=decode_image(image), window=window, class_name=str(class_))
        return display.plot(ax=ax)

    def plot(self, *, ax: "Axes | None" = None) -> Self:
        """Draw the image and the frame.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        WindowScanDisplay
            The display itself, with `ax_`, `figure_` and `frame_`.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed.
        """
        pyplot = require_pyplot()
        from matplotlib.patheffects import withStroke

        self.ax_ = ax = axes_for_image(ax, self.image)
        self.figure_ = ax.figure
        ax.imshow(self.image)
        y0, x0, y1, x1 = self.window.box
        frame = pyplot.Rectangle(
            (x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0, fill=False, ec=FRAME_COLOR, lw=2.5
        )
        frame.set_path_effects([withStroke(linewidth=5, foreground="black")])
        self.frame_ = ax.add_patch(frame)
        name = "" if self.class_name is None else f"{self.class_name}, "
        ax.set(xticks=[], yticks=[], title=f"{name}score {self.window.score:.2f}")
        return self
