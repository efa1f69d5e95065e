"""Queries with their first results in a row: ranks, similarities, right and wrong."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from skdeepenc._typing import ImageSource
from skdeepenc.images import decode_image
from skdeepenc.inspection._drawing import RIGHT, WRONG, figure_and_axes, require_pyplot

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

FRAME_WIDTH = 4
LEGEND = "solid frame: right, dashed frame: wrong"


class RankingDisplay:
    """Show queries and what was found for them.

    One row per query: the query on the left, then its results, best first, each under its rank and
    similarity. Right results have a solid frame, wrong ones a dashed one. Make one with
    `from_estimator` or `from_predictions`, which draw it; it keeps small copies of the images, so
    that `plot` draws it again without ranking or reading anything.

    Parameters
    ----------
    query_images : list of ndarray of shape (H, W, 3)
        One image per query.
    result_images : list of list of ndarray of shape (H, W, 3)
        The first results of each query, best first.
    correct : array-like of bool of shape (n_queries, n_results), default=None
        Which results are right; None frames nothing.
    query_names : list of str, default=None
        What to write above each query.
    similarities : array-like of shape (n_queries, n_results), default=None
        What to write beside the ranks; None writes the ranks alone.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (n_queries, 1 + n_results)
        Where the last `plot` drew.
    figure_ : matplotlib Figure
        The figure of `axes_`.

    See Also
    --------
    skdeepenc.retrieval.NearestNeighborRanker : Makes rankings.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.inspection import RankingDisplay
    >>> gallery = [np.full((8, 8, 3), shade, dtype=np.uint8) for shade in (0, 100, 200)]
    >>> display = RankingDisplay.from_predictions(
    ...     [[0, 1, 2]], query_images=gallery[:1], gallery_images=gallery, positives=[[0, 2]]
    ... )
    >>> display.correct
    array([[ True, False,  True]])
    >>> display.axes_.shape
    (1, 4)
    """

    def __init__(
        self,
        *,
        query_images: Sequence[NDArray[Any]],
        result_images: Sequence[Sequence[NDArray[Any]]],
        correct: Sequence[Any] | NDArray[Any] | None = None,
        query_names: Sequence[str] | None = None,
        similarities: Sequence[Any] | NDArray[Any] | None = None,
    ) -> None:
        self.query_images = query_images
        self.result_images = result_images
        self.correct = correct
        self.query_names = query_names
        self.similarities = similarities

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike | None = None,
        *,
        query_images: Sequence[ImageSource],
        gallery_images: Sequence[ImageSource],
        n_results: int = 5,
        query_names: Sequence[str] | None = None,
        image_size: int = 128,
        figure: "Figure | SubFigure | None" = None,
    ) -> Self:
        """Rank the gallery of a fitted ranker for each query, and draw the first results.

        Parameters
        ----------
        estimator : ranker, or Pipeline that ends in one
            Fitted; with labels if `y` is given.
        X : array-like or FeatureMaps of length n_queries
            The queries, as `estimator` takes them.
        y : array-like of shape (n_queries,), default=None
            Labels of the queries; results of the same label are right. None frames nothing.
        query_images, gallery_images : sequence of path, array or PIL.Image.Image
            The images of the queries, and those of the whole gallery.
        n_results : int, default=5
            How many results to show.
        query_names : list of str, default=None
            What to write above each query.
        image_size : int, default=128
            The longer side, in pixels, of the copies that the display keeps.
        figure : matplotlib Figure or SubFigure, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        RankingDisplay
            Drawn, with `axes_` and `figure_`; `plot` draws it again.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed; nothing is computed then.
        ValueError
            If something is not given once per query, or `y` is given and the ranker has no labels.
        """
        require_pyplot()
        rankings, similarities = _rank(estimator, X, n_results)
        positives = None
        if y is not None:
            labels = _gallery_labels(estimator)
            positives = [np.flatnonzero(labels == label) for label in np.asarray(y)]
        return cls.from_predictions(
            rankings,
            query_images=query_images,
            gallery_images=gallery_images,
            positives=positives,
            similarities=similarities,
            n_results=n_results,
            query_names=query_names,
            image_size=image_size,
            figure=figure,
        )

    @classmethod
    def from_predictions(
        cls,
        rankings: ArrayLike,
        *,
        query_images: Sequence[ImageSource],
        gallery_images: Sequence[ImageSource],
        positives: Sequence[ArrayLike] | None = None,
        similarities: ArrayLike | None = None,
        n_results: int = 5,
        query_names: Sequence[str] | None = None,
        image_size: int = 128,
        figure: "Figure | SubFigure | None" = None,
    ) -> Self:
        """Draw rankings that were computed before.

        Parameters
        ----------
        rankings : array-like of int of shape (n_queries, n_ranked)
            Gallery indices, best first.
        query_images, gallery_images : sequence of path, array or PIL.Image.Image
            The images of the queries, and those of the whole gallery.
        positives : sequence of array-likes of int, default=None
            The right answers of each query; None frames nothing.
        similarities : array-like of shape (n_queries, n_ranked), default=None
            How similar each ranked image is, to be written beside its rank.
        n_results : int, default=5
            How many results to show.
        query_names : list of str, default=None
            What to write above each query.
        image_size : int, default=128
            The longer side, in pixels, of the copies that the display keeps.
        figure : matplotlib Figure or SubFigure, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        RankingDisplay
            Drawn, with `axes_` and `figure_`; `plot` draws it again.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed; nothing is computed then.
        ValueError
            If something is not given once per query.
        """
        require_pyplot()
        shown = np.asarray(rankings)[:, :n_results]
        _check_lengths(
            len(shown),
            query_images=query_images,
            positives=positives,
            query_names=query_names,
            similarities=similarities,
        )
        correct = None
        if positives is not None:
            correct = np.array(
                [np.isin(row, right) for row, right in zip(shown, positives, strict=True)]
            )
        display = cls(
            query_images=[_thumbnail(image, image_size) for image in query_images],
            result_images=[
                [_thumbnail(gallery_images[index], image_size) for index in row] for row in shown
            ],
            correct=correct,
            query_names=query_names,
            similarities=None if similarities is None else np.asarray(similarities)[:, :n_results],
        )
        return display.plot(figure=figure)

    def plot(self, *, figure: "Figure | SubFigure | None" = None) -> Self:
        """Draw the queries and their results.

        Parameters
        ----------
        figure : matplotlib Figure or SubFigure, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        RankingDisplay
            The display itself, with `axes_` and `figure_`.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed.
        """
        shape = len(self.query_images), 1 + len(self.result_images[0])
        self.figure_, self.axes_ = figure_and_axes(figure, shape, (1.35, 1.1))
        for row, axes in enumerate(self.axes_):
            self._draw_row(row, axes)
        if self.correct is not None:
            self.figure_.supxlabel(LEGEND, fontsize="small")
        return self

    def _draw_row(self, row, axes):
        _draw_image(axes[0], self.query_images[row])
        title = "query" if self.query_names is None else self.query_names[row]
        axes[0].set_title(title, fontsize="small")
        # Sets the query apart from what was found.
        line = {"color": "0.6", "linewidth": 1, "clip_on": False}
        axes[0].plot([1.08, 1.08], [0, 1], transform=axes[0].transAxes, **line)
        for column, image in enumerate(self.result_images[row]):
            self._draw_result(row, column, image, axes[1 + column])

    def _draw_result(self, row, column, image, axes):
        frame = None
        if self.correct is not None:
            frame = RIGHT if self.correct[row][column] else WRONG
        _draw_image(axes, image, frame)
        title = f"{column + 1}"
        if self.similarities is not None:
            title += f": {_short(self.similarities[row][column])}"
        axes.set_title(title, fontsize="small")


def _short(similarity):
    """Write a similarity with two digits behind the point, and a large one with fewer."""
    return f"{similarity:.2f}" if abs(similarity) < 10 else f"{similarity:.3g}"


def _draw_image(axes, image, frame=None):
    axes.imshow(image)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(frame is not None)
        if frame is not None:
            # Other ends of dashes would fill the gaps.
            spine.set(linewidth=FRAME_WIDTH, capstyle="butt", **frame)


def _thumbnail(source, image_size):
    """Return a small copy of an image as pixels (H, W, 3)."""
    thumbnail = Image.fromarray(decode_image(source, smallest=image_size))
    thumbnail.thumbnail((image_size, image_size))
    return np.asarray(thumbnail)


def _rank(estimator, X, n_results):
    """Return the first results for each query, and how similar they are."""
    similarities = np.asarray(estimator.transform(X))
    if hasattr(estimator, "rank"):  # it may know better than its similarities, by re-ranking
        rankings = estimator.rank(X, n_neighbors=n_results)
    else:
        rankings = np.argsort(-similarities, axis=1, kind="stable")[:, :n_results]
    return rankings, np.take_along_axis(similarities, rankings, axis=1)


def _gallery_labels(estimator):
    ranker = estimator[-1] if hasattr(estimator, "steps") else estimator
    if getattr(ranker, "labels_", None) is None:
        raise ValueError(f"{type(ranker).__name__} was fitted without y: leave out y here too.")
    return ranker.labels_


def _check_lengths(n_queries, **given):
    for name, items in given.items():
        if items is not None and len(items) != n_queries:
            raise ValueError(
                f"{name} has {len(items)} entries for {n_queries} queries: give one per query."
            )
