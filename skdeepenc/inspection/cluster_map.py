"""Clusters over the image, below how strongly each place responds: the paper's figure 7."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from skdeepenc._typing import ImageSource
from skdeepenc.images import decode_image
from skdeepenc.inspection._drawing import add_colorbar, figure_and_axes, require_pyplot
from skdeepenc.maps import as_feature_maps

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

OPACITY = 0.65
# Okabe and Ito's, which readers who do not tell red from green can tell apart.
COLORS = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999",
)  # fmt: skip
MORE_COLORS = "tab20"

# Of an image among few, of all images together, and of what is written beside them, in inches.
_WIDEST, _WIDTH, _ROOM = 2.4, 4.8, 1.0


class ClusterMapDisplay:
    """Show the clusters that `ClusterMAC` takes maxima over.

    One column per image: the image itself, the L2 norm of each descriptor, and every partition laid
    over the image, one colour per cluster. Make one with `from_estimator`, which draws it; `plot`
    draws it again without computing anything.

    Parameters
    ----------
    images : list of ndarray of shape (height, width, 3)
        The images.
    norms : list of ndarray of shape (H, W)
        The norm of the descriptor at each position.
    labels : list of ndarray of int of shape (H, W, n_partitions)
        The cluster of each position.
    names : sequence of str of length n_partitions, default=None
        What to call the partitions; None counts their clusters.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (2 + n_partitions, n_images)
        Where the last `plot` drew.
    figure_ : matplotlib Figure
        The figure of `axes_`.

    See Also
    --------
    skdeepenc.encoders.ClusterMAC : Makes clusters.
    region_precision : How well they keep to an object.

    References
    ----------
    Chen et al., "Aggregated deep feature from activation clusters for particular object
    retrieval", 2017, figure 7.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.encoders import ClusterMAC
    >>> from skdeepenc.inspection import ClusterMapDisplay
    >>> maps = np.random.RandomState(0).rand(2, 6, 8, 5)
    >>> images = np.zeros((2, 60, 80, 3), dtype=np.uint8)
    >>> encoder = ClusterMAC(n_clusters=(2, 4), random_state=0).fit(maps)
    >>> display = ClusterMapDisplay.from_estimator(encoder, maps, images)
    >>> display.labels[0].shape
    (6, 8, 2)
    >>> display.axes_.shape
    (4, 2)
    """

    def __init__(
        self,
        *,
        images: Sequence[NDArray[Any]],
        norms: Sequence[NDArray[Any]],
        labels: Sequence[NDArray[Any]],
        names: Sequence[str] | None = None,
    ) -> None:
        self.images = images
        self.norms = norms
        self.labels = labels
        self.names = names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        images: Sequence[ImageSource],
        *,
        scale: int = 0,
        figure: "Figure | SubFigure | None" = None,
        colorbar: bool = True,
    ) -> Self:
        """Partition images by a fitted encoder, and draw the clusters.

        Parameters
        ----------
        estimator : ClusterMAC
            Fitted, with ``regions="clusters"``.
        X : FeatureMaps, array-like or sequence
            The maps of the images, as `estimator` takes them.
        images : sequence of path, array or PIL.Image.Image
            The images.
        scale : int, default=0
            Which of the encoded scales to show.
        figure : matplotlib Figure or SubFigure, default=None
            Where to draw; None makes a new figure.
        colorbar : bool, default=True
            Whether to draw the scale of the norms, which is the same for all images.

        Returns
        -------
        ClusterMapDisplay
            Drawn, with `axes_` and `figure_`; `plot` draws it again.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed; nothing is computed then.
        ValueError
            If there are not as many maps as images.
        """
        require_pyplot()
        maps = as_feature_maps(X)
        if len(maps) != len(images):
            raise ValueError(
                f"There are maps of {len(maps)} images but {len(images)} images to draw them on."
            )
        labels = [scales[scale] for scales in estimator.cluster_labels(maps)]
        layer = estimator.layers_in_[0]
        shown = maps.select(layers=[layer], scales=estimator.scales).select(scales=[scale])
        # The squares of float16 activations overflow.
        norms = [
            np.linalg.norm(shown[image][layer][0].astype(np.float32), axis=2)
            for image in range(len(shown))
        ]
        pixels = [np.asarray(decode_image(image)) for image in images]
        names = _partition_names(estimator, labels[0].shape[2])
        return cls(images=pixels, norms=norms, labels=labels, names=names).plot(
            figure=figure, colorbar=colorbar
        )

    def plot(self, *, figure: "Figure | SubFigure | None" = None, colorbar: bool = True) -> Self:
        """Draw the images, the norms and the clusters.

        Parameters
        ----------
        figure : matplotlib Figure or SubFigure, default=None
            Where to draw; None makes a new figure.
        colorbar : bool, default=True
            Whether to draw the scale of the norms, which is the same for all images.

        Returns
        -------
        ClusterMapDisplay
            The display itself, with `axes_` and `figure_`.

        Raises
        ------
        MissingDependencyError
            If matplotlib is not installed.
        """
        shape = 2 + self.labels[0].shape[2], len(self.images)
        tallest = max(np.shape(image)[0] / np.shape(image)[1] for image in self.images)
        width = min(_WIDEST, _WIDTH / len(self.images))
        cell = width * tallest + 0.1, width + 0.1 + _ROOM / len(self.images)
        self.figure_, self.axes_ = figure_and_axes(figure, shape, cell)
        strongest = max(float(np.max(norms)) for norms in self.norms)
        for column, axes in enumerate(self.axes_.T):
            drawn = self._draw_column(column, axes, strongest)
        if colorbar:
            add_colorbar(drawn, "activation")
        counts = [f"{len(np.unique(partition))} clusters" for partition in self.labels[0].T]
        names = ["image", "L2 norm", *(self.names or counts)]
        for axis, name in zip(self.axes_[:, 0], names, strict=True):
            axis.set_ylabel(name)
        return self

    def _draw_column(self, column, axes, strongest):
        """Draw one image, and return what shows its norms."""
        image, labels = self.images[column], self.labels[column]
        height, width = image.shape[:2]
        covering = {
            "extent": (-0.5, width - 0.5, height - 0.5, -0.5),
            "interpolation": "nearest",
        }
        axes[0].imshow(image)
        norms = axes[1].imshow(
            self.norms[column], cmap="viridis", vmin=0, vmax=strongest, **covering
        )
        grey = np.mean(image, axis=2, keepdims=True).astype(image.dtype).repeat(3, axis=2)
        for axis, partition in zip(axes[2:], np.moveaxis(labels, 2, 0), strict=True):
            axis.imshow(grey)  # its colours would mix with those of the clusters
            _draw_clusters(axis, partition, covering)
        for axis in axes:
            axis.set(xticks=[], yticks=[])
        return norms


def _draw_clusters(axes, partition, covering):
    """Lay clusters over an image; where there are many, colours are alike, or even repeat."""
    from matplotlib.colors import ListedColormap

    many = require_pyplot().get_cmap(MORE_COLORS).colors
    colors = COLORS if partition.max() < len(COLORS) else many
    shown = {"cmap": ListedColormap(colors), "vmin": 0, "vmax": len(colors) - 1, "alpha": OPACITY}
    axes.imshow(partition % len(colors), **shown, **covering)


def _partition_names(encoder, n_partitions):
    """Name partitions by how many clusters were asked for, and by what they were made of."""
    counts = np.atleast_1d(encoder.n_clusters).tolist()
    names = [f"{count} clusters" for count in counts]
    by_color = [f"{encoder.n_color_clusters} clusters\nby colour"]
    return (names + by_color)[:n_partitions]
