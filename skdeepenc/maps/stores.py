"""Where the values of feature maps lie: in arrays, or in whatever can read them when asked.

A `FeatureMaps` is a view: a store, and which of the store's layers, images and scales are in view.
All that it asks of a store is below. A store of ours in memory is `ArrayStore`; `FeatureMaps.load`
makes one on mapped files; the extractor's cache brings one that reads the files of a batch when the
batch is asked for. A new kind of store implements `Store` and hands itself to
``FeatureMaps(store)``; nothing else changes.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skdeepenc._typing import Floats, Integers
from skdeepenc.arrays.segments import offsets_of, take_segments

__all__ = ["ArrayStore", "Store"]


class Store(ABC):
    """What `FeatureMaps` asks of the place where values lie.

    Attributes
    ----------
    layers : tuple of str
        Names of the layers, shallow to deep.
    grids : dict of str to ndarray of int of shape (n_images, n_scales, 2)
        Rows and columns of every map of a layer, by the layer's name; zeros where an image lacks
        the scale.
    channels : dict of str to int
        Number of channels of each layer.
    dtypes : dict of str to dtype
        Float type of each layer's values: float16, float32 or float64.
    in_memory : bool
        Whether `read` costs no more than memory traffic. Values of other stores are checked for
        NaN and infinity batch by batch as they are read, not in one pass beforehand.

    Examples
    --------
    A store that makes its values up when they are asked for:

    >>> import numpy as np
    >>> from skdeepenc.maps import FeatureMaps, Store
    >>> class Ones(Store):
    ...     layers = ("conv5",)
    ...     channels = {"conv5": 8}
    ...     dtypes = {"conv5": np.dtype("float32")}
    ...     def __init__(self, grid):
    ...         self.grids = {"conv5": grid}
    ...     def read(self, layer, images, scales):
    ...         sizes = self.grids[layer][np.ix_(images, scales)]
    ...         return np.ones((sizes.prod(axis=2).sum(), 8), dtype="float32")
    >>> FeatureMaps(Ones(np.full((100, 1, 2), 13)))[5:7]
    FeatureMaps(2 images, 1 scale, conv5: 338 x 8 float32)
    """

    layers: tuple[str, ...]
    grids: dict[str, np.ndarray]
    channels: dict[str, int]
    dtypes: dict[str, np.dtype]
    in_memory = False

    @abstractmethod
    def read(self, layer: str, images: Integers, scales: Integers) -> Floats:
        """Return the descriptors of chosen images and scales, one map after the other.

        Parameters
        ----------
        layer : str
            Name of a layer.
        images, scales : ndarray of int
            Which images and which scales of the store, in the order wanted. Images may repeat.

        Returns
        -------
        ndarray of shape (total, n_channels)
            Image by image, in each scale by scale, in each position by position in row-major
            order.
        """

    def pickled(
        self, layers: Sequence[str], images: Integers, scales: Integers
    ) -> "tuple[Store, Sequence[str], Integers, Integers]":
        """Return a store and view equal to the one given, and cheap to pickle.

        The default is the store itself, which fits stores that pickle as a reference to files.
        """
        return self, layers, images, scales


class ArrayStore(Store):
    """Values in memory: one long array per layer.

    Parameters
    ----------
    values : dict of str to ndarray of shape (total, n_channels)
        Each layer's descriptors: image by image, in each scale by scale, in each position by
        position in row-major order.
    grids : dict of str to ndarray of int of shape (n_images, n_scales, 2)
        Rows and columns of every map, by layer.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.maps import ArrayStore
    >>> store = ArrayStore({"fc7": np.eye(3)}, {"fc7": np.ones((3, 1, 2), dtype=int)})
    >>> store.read("fc7", images=[2], scales=[0])
    array([[0., 0., 1.]])
    """

    in_memory = True

    def __init__(self, values: dict[str, NDArray[Any]], grids: dict[str, Integers]) -> None:
        self.layers = tuple(values)
        self.array = values
        self.grids = grids
        self.channels = {layer: column.shape[1] for layer, column in values.items()}
        self.dtypes = {layer: column.dtype for layer, column in values.items()}
        self._offsets = {
            layer: offsets_of(grid.prod(axis=2).ravel()) for layer, grid in grids.items()
        }

    def read(self, layer: str, images: Integers, scales: Integers) -> Floats:
        """Return rows of the layer's array: a slice where they lie together, a copy elsewhere."""
        return self._take(self.array[layer], layer, images, scales)

    def _take(self, column: Floats, layer: str, images: Integers, scales: Integers) -> Floats:
        offsets, n_scales = self._offsets[layer], self.grids[layer].shape[1]
        segments = (np.asarray(images)[:, None] * n_scales + np.asarray(scales)).ravel()
        return take_segments(column, offsets[segments], offsets[segments + 1])

    def pickled(
        self, layers: Sequence[str], images: Integers, scales: Integers
    ) -> "tuple[Store, Sequence[str], Integers, Integers]":
        """Leave out what is not in view; a whole store stays itself, so joblib maps it once."""
        n_images, n_scales, _ = self.grids[self.layers[0]].shape
        whole = np.array_equal(images, np.arange(n_images)) and len(scales) == n_scales
        if whole and layers == self.layers:
            return self, layers, images, scales
        values = {layer: self.read(layer, images, scales) for layer in layers}
        grids = {layer: self.grids[layer][np.ix_(images, scales)] for layer in layers}
        return ArrayStore(values, grids), layers, np.arange(len(images)), np.arange(len(scales))
