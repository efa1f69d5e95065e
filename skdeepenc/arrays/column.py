"""One layer of a batch of images: maps of any size, their descriptors one after the other.

It is what the papers' functions are handed: plain arrays, whatever made them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skdeepenc._typing import Integers
from skdeepenc.arrays.segments import offsets_of, take_segments

__all__ = ["Column"]


@dataclass(frozen=True)
class Column:
    """Descriptors of images and scales, and the grids that say whose they are.

    Parameters
    ----------
    values : ndarray of shape (total, D)
        Descriptors: image by image, in each scale by scale, in each position by position in
        row-major order.
    grids : ndarray of int of shape (n_images, n_scales, 2)
        Rows and columns of every map; zeros where an image lacks the scale.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.arrays.column import Column
    >>> column = Column(np.ones((7, 4)), np.array([[[1, 1], [2, 2]], [[1, 2], [0, 0]]]))
    >>> column.offsets, column.image_offsets, column.n_positions
    (array([0, 1, 5, 7, 7]), array([0, 5, 7]), array([5, 2]))
    """

    values: NDArray[Any]
    grids: Integers

    def __len__(self) -> int:
        return len(self.grids)

    @property
    def n_scales(self) -> int:
        """Number of scales of every image."""
        return self.grids.shape[1]

    @property
    def offsets(self) -> NDArray[np.intp]:
        """Where each map starts among `values`, and where the last one ends."""
        return offsets_of(self.grids.prod(axis=2).ravel())

    @property
    def image_offsets(self) -> NDArray[np.intp]:
        """Where each image starts among `values`, and where the last one ends."""
        return offsets_of(self.n_positions)

    @property
    def n_positions(self) -> Integers:
        """Number of descriptors of each image, at all scales."""
        return self.grids.prod(axis=2).sum(axis=1)

    @property
    def maps(self) -> list[NDArray[Any]]:
        """The map (H, W, D) of every image and scale, one after the other."""
        bounds, shape = self.offsets, (self.values.shape[1],)
        sizes = self.grids.reshape(-1, 2)
        return [
            self.values[start:stop].reshape(*size, *shape)
            for start, stop, size in zip(bounds[:-1], bounds[1:], sizes, strict=True)
        ]

    @property
    def by_image(self) -> list[list[NDArray[Any]]]:
        """The maps of each image, a list of one per scale."""
        maps, n_scales = self.maps, self.n_scales
        return [maps[first : first + n_scales] for first in range(0, len(maps), n_scales)]

    def at_scale(self, scale: int) -> "Column":
        """Return the column of one scale."""
        offsets = self.offsets
        first, last = offsets[scale : -1 : self.n_scales], offsets[scale + 1 :: self.n_scales]
        own = take_segments(self.values, first, last)
        return Column(own, self.grids[:, scale : scale + 1])

    def with_values(self, values: NDArray[Any]) -> "Column":
        """Return other descriptors at the same positions."""
        return Column(values, self.grids)
