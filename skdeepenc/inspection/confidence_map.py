"""Where in an image the classifier saw its class."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from skdeepenc._typing import Floats, ImageSource
from skdeepenc.images import decode_image
from skdeepenc.inspection._classes import class_index
from skdeepenc.inspection._drawing import (
    add_colorbar,
    axes_for_image,
    draw_over_grey,
    require_pyplot,
    stretched_sum,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ConfidenceMapDisplay"]


class ConfidenceMapDisplay:
    """Draw over an image how much each place of it speaks for a class.

    Every descriptor of every scale is scored as if it were the image; the maps of scores are
    stretched to the image and summed. Drawn is by how much the class leads over its best rival at
    each place: one-against-rest scores alone are below zero nearly everywhere once there are many
    classes. Make one with `from_estimator`, which draws it; it keeps
    the image and the maps, so that `plot` draws it again without asking the pipeline.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3)
        The image.
    maps : list of ndarray of shape (H, W)
        The scores of the class, one map per scale; empty ones are left out.
    class_name : str or None, default=None
        What to write above the image.
    rival : ndarray of shape (height, width), default=None
        The highest sum of any other class at each place; None draws the scores of the class alone.

    Attributes
    ----------
    confidence : ndarray of shape (height, width)
        The sum over scales, less that of the best rival, at the size of the image.
    ax_ : matplotlib Axes
        Where the last `plot` drew.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    im_ : matplotlib AxesImage
        What the last `plot` drew over the image.

    See Also
    --------
    skdeepenc.encoders.MultiScaleFisherEncoder.confidence_maps : Computes the maps.
    WindowScanDisplay : The window that scores best.

    Notes
    -----
    Section 4.5 of Yoo et al., "Fisher Kernel for Deep Neural Activations", 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.inspection import ConfidenceMapDisplay
    >>> image = np.zeros((4, 4, 3), dtype=np.uint8)
    >>> maps = [np.array([[1.0]]), np.array([[0.0, 2.0], [0.0, 2.0]])]
    >>> display = ConfidenceMapDisplay(image=image, maps=maps, class_name="lily")
    >>> display.confidence[0].tolist()
    [1.0, 1.5, 2.5, 3.0]
    """

    def __init__(
        self,
        *,
        image: NDArray[Any],
        maps: Sequence[NDArray[Any]],
        class_name: str | None = None,
        rival: NDArray[Any] | None = None,
    ) -> None:
        self.image = image
        self.maps = maps
        self.class_name = class_name
        self.rival = rival

    @classmethod
    def from_estimator(
        cls,
        pipeline: Any,
        image: ImageSource,
        class_: Any,
        *,
        margin: bool = True,
        image_size: int = 512,
        ax: "Axes | None" = None,
        cmap: str = "RdBu_r",
        alpha: float = 0.8,
        colorbar: bool = True,
    ) -> Self:
        """Ask a fitted pipeline what it sees, and draw it over the image.

        Parameters
        ----------
        pipeline : Pipeline
            Fitted; it ends in an encoder with `confidence_maps` and a linear classifier.
        image : path, bytes, PIL.Image.Image or array
            The image.
        class_ : label
            One of the classifier's classes.
        margin : bool, default=True
            Whether to draw the lead over the best rival at each place, rather than the scores of
            the class alone.
        image_size : int, default=512
            The longer side, in pixels, of the copy that the display keeps.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        cmap : str or Colormap, default="RdBu_r"
            Colours, of which the middle one is a score of zero.
        alpha : float, default=0.8
            How much the strongest colours cover the image, 0 to 1.
        colorbar : bool, default=True
            Whether to draw the scale of colours.

        Returns
        -------
        ConfidenceMapDisplay
            Drawn, with `ax_`, `figure_` and `im_`; `plot` draws it again.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed; nothing is computed then.
        ValueError
            If the pipeline does not end in such an encoder and a classifier.
        ClassifierError
            If the classifier is not linear, or does not know the class.
        """
        require_pyplot()
        extractor, encoder, classifier = _split(pipeline)
        index = class_index(classifier, class_)
        (scores,) = encoder.confidence_maps(extractor.transform([image]), classifier)
        thumbnail = Image.fromarray(decode_image(image))
        thumbnail.thumbnail((image_size, image_size))
        pixels, maps = np.asarray(thumbnail), [scale[..., index] for scale in scores]
        rival = _best_rival(scores, index, pixels.shape[:2]) if margin else None
        display = cls(image=pixels, maps=maps, class_name=str(class_), rival=rival)
        return display.plot(ax=ax, cmap=cmap, alpha=alpha, colorbar=colorbar)

    @property
    def confidence(self) -> Floats:
        """The sum over scales, less that of the best rival, at the size of the image."""
        total = stretched_sum(self.maps, np.shape(self.image)[:2])
        return total if self.rival is None else total - self.rival

    def plot(
        self,
        *,
        ax: "Axes | None" = None,
        cmap: str = "RdBu_r",
        alpha: float = 0.8,
        colorbar: bool = True,
    ) -> Self:
        """Draw the image in grey, and the confidence over it in colour.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        cmap : str or Colormap, default="RdBu_r"
            Colours, of which the middle one is a score of zero.
        alpha : float, default=0.8
            How much the strongest colours cover the image, 0 to 1.
        colorbar : bool, default=True
            Whether to draw the scale of colours.

        Returns
        -------
        ConfidenceMapDisplay
            The display itself, with `ax_`, `figure_` and `im_`.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed.
        """
        require_pyplot()
        self.ax_ = ax = axes_for_image(ax, np.asarray(self.image))
        self.figure_ = ax.figure
        confidence = self.confidence
        strongest = float(np.abs(confidence).max()) or 1.0
        self.im_ = draw_over_grey(
            ax, self.image, confidence, strongest=strongest, cmap=cmap, alpha=alpha
        )
        if self.class_name is not None:
            ax.set_title(self.class_name)
        if colorbar:
            label = "score" if self.rival is None else "lead over rivals (score)"
            add_colorbar(self.im_, label)
        return self


def _best_rival(scores, index, shape):
    """Return the highest sum of any other class at each place; None where there is no other."""
    best = None
    # Class by class: a thousand classes at the size of the image would take a gigabyte.
    for other in range(scores[0].shape[-1]):
        if other != index:
            total = stretched_sum([scale[..., other] for scale in scores], shape)
            best = total if best is None else np.maximum(best, total, out=best)
    return best


def _split(pipeline):
    """Return the steps that make maps, the encoder and the classifier."""
    if len(getattr(pipeline, "steps", ())) < 3 or not hasattr(pipeline[-2], "confidence_maps"):
        raise ValueError(
            "Confidence maps need a Pipeline of an extractor, an encoder with confidence_maps, "
            f"such as MultiScaleFisherEncoder, and a linear classifier; got {pipeline!r}."
        )
    return pipeline[:-2], pipeline[-2], pipeline[-1]
