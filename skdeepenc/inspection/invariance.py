"""How well images are still recognised when they are scaled, moved, mirrored or turned."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageOps
from sklearn.metrics import check_scoring

from skdeepenc._typing import ImageSource
from skdeepenc.images import decode_image
from skdeepenc.inspection._drawing import figure_and_axes, require_pyplot

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

#: From kind and amount to what changes an image.
Transformations: TypeAlias = Mapping[tuple[str, Any], Callable[..., Any]]

__all__ = ["InvarianceDisplay", "image_transformations", "warp_to_square"]

# Of each side. Translations by 40 of 256 pixels reach the edge of the image, and no corner that
# a rotation by up to 20 degrees leaves empty lies in the middle of this size.
MIDDLE = 0.7
PIXELS = 256
# What the amounts of the paper's transformations are.
_UNITS = {
    "scaling": "magnification",
    "translation right": "256ths of the side",
    "translation down": "256ths of the side",
    "flip": "direction",
    "rotation": "degrees",
}
_COLUMNS = 2
# As many as stand below a panel that is 180 pixels wide.
_LETTERS = 22
_MARKERS = "os^Dv"


def image_transformations(kinds: Sequence[str] | None = None) -> Transformations:
    """Return the transformations under which MOP-CNN's authors test a representation.

    A test of your own is a dict of the same kind, or this one with entries of yours.

    Parameters
    ----------
    kinds : sequence of str, default=None
        Which kinds to return, of those listed below; None returns all.

    Returns
    -------
    dict of (str, str or int) to callable
        From kind and amount to a function that takes a PIL image and returns the transformed one:

        - "scaling", "10/10" to "10/4": the middle 10/10 to 4/10 of each side;
        - "translation right" and "translation down", -40 to 40: the middle 0.7 of each side, moved
          by that many 256ths of the side, and at most to the edge;
        - "flip", "none", "horizontal" or "vertical";
        - "rotation", -20 to 20: the image turned counterclockwise by that many degrees about its
          centre, and cropped to the middle 0.7 of each side, which leaves out the empty corners.

    Raises
    ------
    ValueError
        If a kind is not among them.

    See Also
    --------
    InvarianceDisplay : Draws what they do to the accuracy of a classifier.

    Notes
    -----
    Section 3 and figure 2 of Gong, Wang, Guo and Lazebnik, "Multi-scale Orderless Pooling of Deep
    Convolutional Activation Features", ECCV 2014.

    Examples
    --------
    >>> from PIL import Image
    >>> from skdeepenc.inspection import image_transformations
    >>> transformations = image_transformations(["scaling", "flip"])
    >>> transformations["scaling", "10/5"](Image.new("RGB", (256, 256))).size
    (128, 128)
    >>> transformations["flip", "both"] = lambda image: image.rotate(180)
    """
    shifts = range(-40, 41, 20)
    degrees = (-20, -10, -5, 0, 5, 10, 20)
    table: dict[str, dict[Any, Callable[..., Any]]] = {
        "scaling": {f"10/{n}": partial(_crop, share=n / 10) for n in range(10, 3, -1)},
        "translation right": {n: partial(_crop, share=MIDDLE, right=n) for n in shifts},
        "translation down": {n: partial(_crop, share=MIDDLE, down=n) for n in shifts},
        "flip": {
            "none": Image.Image.copy,
            "horizontal": ImageOps.mirror,
            "vertical": ImageOps.flip,
        },
        "rotation": {n: partial(_rotate, degrees=n) for n in degrees},
    }
    chosen = list(table) if kinds is None else kinds
    unknown = [kind for kind in chosen if kind not in table]
    if unknown:
        raise ValueError(f"Unknown kinds of transformation: {unknown}; known are {list(table)}.")
    return {(kind, amount): table[kind][amount] for kind in chosen for amount in table[kind]}


def _crop(image, share, right=0, down=0):
    """Crop `share` of each side around the centre, moved by 256ths of the sides."""
    left, stop_x = _segment(image.width, share, right)
    top, stop_y = _segment(image.height, share, down)
    return image.crop((left, top, stop_x, stop_y))


def _segment(length, share, shift):
    """Return where a part of one side starts and stops; it stays within the image."""
    size = max(1, round(length * share))
    start = (length - size) // 2 + round(shift * length / PIXELS)
    start = min(max(start, 0), length - size)
    return start, start + size


def _rotate(image, degrees):
    return _crop(image.rotate(degrees, Image.Resampling.BILINEAR), MIDDLE)


def warp_to_square(image, side=PIXELS):
    """Return an image as a square PIL image, as `skdeepenc.images.Windows` warps it."""
    decoded = Image.fromarray(decode_image(image, smallest=side))
    return decoded.resize((side, side), Image.Resampling.BILINEAR)


class InvarianceDisplay:
    """Draw the accuracy of classifiers on transformed test images.

    One panel per kind of transformation, one curve per classifier. Make one with `from_estimator`,
    which draws it; it keeps the accuracies, so that `plot` draws it again without classifying.

    Parameters
    ----------
    scores : dict of (str, object) to dict of str to float
        From kind and amount of the transformation to the score of each classifier, by its name.
    score_name : str, default="accuracy"
        What to write beside the scores.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (n_kinds,)
        Where the last `plot` drew.
    figure_ : matplotlib Figure
        The figure of `axes_`.

    See Also
    --------
    image_transformations : The transformations of the paper.
    WindowScanDisplay : The window of an image that scores best.

    Notes
    -----
    Section 3 and figure 3 of Gong, Wang, Guo and Lazebnik, "Multi-scale Orderless Pooling of Deep
    Convolutional Activation Features", ECCV 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from skdeepenc.inspection import InvarianceDisplay, image_transformations
    >>> def left_minus_right(images):
    ...     halves = [np.array_split(image / 255, 2, axis=1) for image in images]
    ...     return np.array([[left.mean() - right.mean()] for left, right in halves])
    >>> pipeline = make_pipeline(FunctionTransformer(left_minus_right), LogisticRegression())
    >>> image = np.zeros((8, 8, 3), dtype=np.uint8)
    >>> image[:, :4] = 255
    >>> images, sides = [image, image[:, ::-1]], ["left", "right"]
    >>> display = InvarianceDisplay.from_estimator(
    ...     {"halves": pipeline.fit(images, sides)},
    ...     images,
    ...     sides,
    ...     transformations=image_transformations(["scaling", "flip"]),
    ...     side=8,
    ... )
    >>> display.scores["scaling", "10/4"], display.scores["flip", "horizontal"]
    ({'halves': 1.0}, {'halves': 0.0})
    >>> [axes.get_title() for axes in display.axes_]
    ['scaling', 'flip']
    """

    def __init__(
        self, *, scores: Mapping[tuple[str, Any], Mapping[str, float]], score_name: str = "accuracy"
    ) -> None:
        self.scores = scores
        self.score_name = score_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        images: Sequence[ImageSource],
        y: ArrayLike,
        *,
        transformations: Transformations | None = None,
        side: int = 256,
        scoring: Any = "accuracy",
        figure: "Figure | SubFigure | None" = None,
    ) -> Self:
        """Score fitted classifiers on transformed images, and draw the curves.

        All images are decoded once, and stay in memory as squares of `side` pixels. Every
        transformation is applied once, whatever the number of classifiers.

        Parameters
        ----------
        estimator : estimator, or dict of str to estimator
            Fitted; takes a list of images, as a pipeline that starts with an
            `ActivationExtractor` does. One classifier goes by the name of its class.
        images : sequence of path, bytes, PIL.Image.Image or array
            The test images.
        y : array-like of shape (n_images,)
            Their labels.
        transformations : dict of (kind, amount) to callable, default=None
            Functions that take a square PIL image and return a PIL image or an array of pixels;
            None stands for all of `image_transformations`.
        side : int, default=256
            Side of the square, in pixels, that each image is first warped to.
        scoring : str, callable or None, default="accuracy"
            What to measure, in the words of scikit-learn; None takes the estimators' own `score`.
        figure : matplotlib Figure or SubFigure, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        InvarianceDisplay
            Drawn, with `axes_` and `figure_`; `plot` draws it again.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed; nothing is computed then.
        ImageError
            If an image cannot be read.
        ValueError
            If there is no estimator, no image or no transformation, or not one label per image.
        """
        require_pyplot()
        named = (
            estimator if isinstance(estimator, Mapping) else {type(estimator).__name__: estimator}
        )
        table = image_transformations() if transformations is None else transformations
        _check(named, images, y, table)
        scorers = {name: check_scoring(each, scoring) for name, each in named.items()}
        squares = [warp_to_square(image, side) for image in images]
        scores = {}
        for kind_and_amount, transform in table.items():
            transformed = [np.asarray(transform(square)) for square in squares]
            scores[kind_and_amount] = {
                name: float(scorer(named[name], transformed, y)) for name, scorer in scorers.items()
            }
        score_name = scoring if isinstance(scoring, str) else "score"
        return cls(scores=scores, score_name=score_name).plot(figure=figure)

    def plot(self, *, figure: "Figure | SubFigure | None" = None) -> Self:
        """Draw one panel per kind of transformation.

        Parameters
        ----------
        figure : matplotlib Figure or SubFigure, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        InvarianceDisplay
            The display itself, with `axes_` and `figure_`.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed.
        """
        kinds = list(dict.fromkeys(kind for kind, _ in self.scores))
        shape = -(-len(kinds) // _COLUMNS), min(len(kinds), _COLUMNS)
        self.figure_, grid = figure_and_axes(figure, shape, (2.2, 3), sharey=True)
        self.axes_ = grid.ravel()[: len(kinds)]
        for axes in grid.ravel()[len(kinds) :]:
            axes.remove()
        for axes, kind in zip(self.axes_, kinds, strict=True):
            self._draw_kind(axes, kind)
        for axes in grid[:, 0]:
            axes.set_ylabel(self.score_name)
        handles, names = self.axes_[0].get_legend_handles_labels()
        self.figure_.legend(handles, names, loc="outside lower center", ncols=_COLUMNS)
        return self

    def _draw_kind(self, axes, kind):
        rows = {str(amount): row for (own, amount), row in self.scores.items() if own == kind}
        names = list(next(iter(rows.values())))
        # A line from one flip to the other would say that there is something in between. Without
        # lines, markers that are as high stand side by side.
        line, aside = ("none", 0.12) if kind == "flip" else ("-", 0.0)
        for number, (name, marker) in enumerate(zip(names, cycle(_MARKERS), strict=False)):
            places = np.arange(len(rows)) + aside * (number - (len(names) - 1) / 2)
            scores = [row[name] for row in rows.values()]
            axes.plot(places, scores, linestyle=line, marker=marker, label=name)
        step = -(-len("".join(rows)) // _LETTERS)
        axes.set_xticks(range(0, len(rows), step), list(rows)[::step])
        axes.margins(x=0.15, y=0.1)
        axes.set(title=kind, xlabel=_UNITS.get(kind, "amount"))


def _check(estimators, images, y, transformations):
    """Refuse what leaves nothing to score, or cannot be scored."""
    given = {"estimator": estimators, "image": images, "transformation": transformations}
    for what, items in given.items():
        if not len(items):
            raise ValueError(f"There is no {what}: give at least one.")
    if len(images) != len(y):
        raise ValueError(
            f"There are {len(images)} images but {len(y)} labels in y: give one per image."
        )
