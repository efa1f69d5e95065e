"""Two images side by side, with the places that make them alike."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from skdeepenc._typing import Floats, ImageSource
from skdeepenc.images import decode_image
from skdeepenc.inspection._drawing import (
    add_colorbar,
    draw_over_grey,
    figure_and_axes,
    require_pyplot,
    stretched_sum,
)
from skdeepenc.inspection.matching import Match, match_contributions

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

__all__ = ["MatchDisplay"]

_HEIGHT, _WIDTH = 3.2, 5.6


class MatchDisplay:
    """Show a query beside a result, and how much each place adds to their similarity.

    Both images are drawn in grey; over them, in colour, what their positions add: red where the two
    have something in common, blue where what is there speaks against it. The strongest positions
    are framed. Make one with `from_estimator`, which draws it; it keeps the images and the numbers,
    so that `plot` draws it again without asking the pipeline.

    Parameters
    ----------
    images : sequence of two ndarray of shape (height, width, 3)
        The query and the result.
    match : Match
        What the positions of both add; see `match_contributions`.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (1, 2)
        Where the last `plot` drew.
    figure_ : matplotlib Figure
        The figure of `axes_`.

    See Also
    --------
    match_contributions : The numbers.
    RankingDisplay : What was found for queries.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.inspection import MatchDisplay
    >>> from skdeepenc.inspection.matching import Match
    >>> image = np.zeros((4, 8, 3), dtype=np.uint8)
    >>> match = Match(0.5, query=[np.array([[0.5, 0.0]])], result=[np.array([[0.2, 0.3]])])
    >>> display = MatchDisplay(images=(image, image), match=match)
    >>> [round(float(density.mean()), 6) for density in display.densities]
    [0.5, 0.5]
    """

    def __init__(self, *, images: Sequence[NDArray[Any]], match: Match) -> None:
        self.images = images
        self.match = match

    @classmethod
    def from_estimator(
        cls,
        pipeline: Any,
        query: ImageSource,
        result: ImageSource,
        *,
        n_framed: int = 5,
        image_size: int = 512,
        figure: "Figure | SubFigure | None" = None,
        cmap: str = "RdBu_r",
        alpha: float = 0.8,
        colorbar: bool = True,
    ) -> Self:
        """Ask a fitted pipeline how similar two images are and why, and draw it.

        Parameters
        ----------
        pipeline : Pipeline
            Fitted; see `match_contributions`.
        query, result : path, bytes, PIL.Image.Image or array
            The two images.
        n_framed : int, default=5
            How many of the strongest positions of each image to frame.
        image_size : int, default=512
            The longer side, in pixels, of the copies that the display keeps.
        figure : matplotlib Figure or SubFigure, default=None
            Where to draw; None makes a new figure.
        cmap : str or Colormap, default="RdBu_r"
            Colours, of which the middle one stands for nothing added.
        alpha : float, default=0.8
            How much the strongest colours cover the images, 0 to 1.
        colorbar : bool, default=True
            Whether to draw the scale of colours.

        Returns
        -------
        MatchDisplay
            Drawn, with `axes_` and `figure_`; `plot` draws it again.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed; nothing is computed then.
        ValueError
            If the similarity of the pipeline is not a sum over positions.
        """
        require_pyplot()
        match = match_contributions(pipeline, query, result)
        images = []
        for image in (query, result):
            thumbnail = Image.fromarray(decode_image(image))
            thumbnail.thumbnail((image_size, image_size))
            images.append(np.asarray(thumbnail))
        display = cls(images=images, match=match)
        return display.plot(
            n_framed=n_framed, figure=figure, cmap=cmap, alpha=alpha, colorbar=colorbar
        )

    @property
    def densities(self) -> list[Floats]:
        """What the places of both images add, at their sizes; the mean of each is the similarity.

        The mean is the similarity but for what stretching to the image's size changes.
        """
        sides = zip((self.match.query, self.match.result), self.images, strict=True)
        return [
            stretched_sum([share * share.size for share in shares], np.shape(image)[:2])
            for shares, image in sides
        ]

    def plot(
        self,
        *,
        n_framed: int = 5,
        figure: "Figure | SubFigure | None" = None,
        cmap: str = "RdBu_r",
        alpha: float = 0.8,
        colorbar: bool = True,
    ) -> Self:
        """Draw both images in grey, and what their positions add over them in colour.

        Parameters
        ----------
        n_framed : int, default=5
            How many of the strongest positions of each image to frame.
        figure : matplotlib Figure or SubFigure, default=None
            Where to draw; None makes a new figure.
        cmap : str or Colormap, default="RdBu_r"
            Colours, of which the middle one stands for nothing added.
        alpha : float, default=0.8
            How much the strongest colours cover the images, 0 to 1.
        colorbar : bool, default=True
            Whether to draw the scale of colours.

        Returns
        -------
        MatchDisplay
            The display itself, with `axes_` and `figure_`.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed.
        """
        widths = [np.shape(image)[1] / np.shape(image)[0] for image in self.images]
        height = min(_HEIGHT, _WIDTH / sum(widths))
        cell = height + 0.4, height * np.mean(widths) + 0.5
        self.figure_, self.axes_ = figure_and_axes(figure, (1, 2), cell, width_ratios=widths)
        densities = self.densities
        strongest = max(float(np.abs(density).max()) for density in densities) or 1.0
        sides = (self.match.query, self.match.result)
        for axes, image, density, shares in zip(
            self.axes_[0], self.images, densities, sides, strict=True
        ):
            drawn = draw_over_grey(
                axes, image, density, strongest=strongest, cmap=cmap, alpha=alpha
            )
            _frame_strongest(axes, shares, np.shape(image)[:2], n_framed)
        self.axes_[0, 0].set_title("query")
        self.axes_[0, 1].set_title(f"similarity {self.match.similarity:.3g}")
        if colorbar:
            add_colorbar(drawn, "added to the similarity")
        return self


def _frame_strongest(axes, shares, shape, n_framed):
    """Frame the positions that add most, each as large as its part of the image."""
    rectangle = require_pyplot().Rectangle
    cells = [
        (share[y, x] * share.size, y, x, share.shape)
        for share in shares
        for y, x in np.ndindex(share.shape)
    ]
    for value, y, x, (rows, columns) in sorted(cells, reverse=True)[:n_framed]:
        if value > 0:
            height, width = shape[0] / rows, shape[1] / columns
            corner = x * width - 0.5, y * height - 0.5
            axes.add_patch(rectangle(corner, width, height, fill=False, linewidth=1.5))
