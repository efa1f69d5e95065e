"""Small feature maps of every kind, the same on every run."""

import numpy as np
from numpy.typing import DTypeLike

from skdeepenc._typing import Floats

__all__ = ["ragged_images", "random_maps"]


def random_maps(
    n_images: int = 6,
    height: int = 3,
    width: int = 4,
    n_channels: int = 5,
    dtype: DTypeLike = np.float32,
    random_state: int = 0,
) -> Floats:
    """Return rectified random maps, sparse and positive as a backbone's activations are.

    Parameters
    ----------
    n_images, height, width, n_channels : int
        The shape.
    dtype : dtype, default=np.float32
        Float type.
    random_state : int, default=0
        Seed.

    Returns
    -------
    ndarray of shape (n_images, height, width, n_channels)
        The maps; equal seeds give equal maps in every float type, but for rounding.

    Examples
    --------
    >>> from skdeepenc.testing import random_maps
    >>> random_maps(n_images=2).shape
    (2, 3, 4, 5)
    """
    normal = np.random.RandomState(random_state).standard_normal
    return np.maximum(normal((n_images, height, width, n_channels)) + 0.5, 0).astype(dtype)


def ragged_images(
    n_scales: int = 2, n_images: int = 6, n_channels: int = 5, dtype: DTypeLike = np.float32
) -> list[list[Floats]]:
    """Return images of different sizes at several scales.

    Parameters
    ----------
    n_scales, n_images, n_channels : int
        How many.
    dtype : dtype, default=np.float32
        Float type.

    Returns
    -------
    list of lists of ndarray of shape (H, W, n_channels)
        Each image's maps, one per scale.

    Examples
    --------
    >>> from skdeepenc.testing import ragged_images
    >>> [scale.shape for scale in ragged_images()[1]]
    [(3, 3, 5), (3, 4, 5)]
    """
    return [
        [
            random_maps(1, 2 + image % 3, 3 + scale, n_channels, dtype, 10 * image + scale)[0]
            for scale in range(n_scales)
        ]
        for image in range(n_images)
    ]
