"""Cut images into consecutive batches that fit the working memory."""

import numpy as np
from sklearn import get_config

__all__ = ["bytes_by_image", "consecutive_batches"]


def consecutive_batches(sizes, working_memory=None):
    """Yield the bounds of batches, each as large as the memory allows.

    Parameters
    ----------
    sizes : ndarray of shape (n_images,)
        Bytes that each image takes.
    working_memory : float or None, default=None
        Most memory of a batch, in MiB; None takes scikit-learn's
        ``get_config()["working_memory"]``. One image makes a batch whatever its size.

    Yields
    ------
    start, stop : int
        The images of the next batch.
    """
    if working_memory is None:
        working_memory = get_config()["working_memory"]
    ends = np.cumsum(sizes)
    start = 0
    while start < len(ends):
        budget = working_memory * 2**20 + (ends[start - 1] if start else 0)
        stop = max(start + 1, int(np.searchsorted(ends, budget, side="right")))
        yield start, stop
        start = stop


def bytes_by_image(maps, dtypes, *, loaded=False):
    """Return the memory that each image takes.

    Parameters
    ----------
    maps : FeatureMaps
        The images.
    dtypes : dict of str to dtype
        Float type in which each layer is stored.
    loaded : bool, default=False
        Whether to count what it takes to read float16: the values as stored, and in float32.

    Returns
    -------
    ndarray of int64 of shape (n_images,)
        The sizes.
    """
    sizes = np.zeros(len(maps), dtype=np.int64)
    for layer in maps.layers:
        itemsize = dtypes[layer].itemsize
        if loaded and itemsize < 4:
            itemsize += 4
        positions = maps.grid(layer).prod(axis=2).sum(axis=1)
        sizes += positions * maps.n_channels(layer) * itemsize
    return sizes
