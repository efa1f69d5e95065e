"""Read images in consecutive batches that fit the working memory."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import get_config

from skdeepenc.arrays.floats import as_floats
from skdeepenc.arrays.tiles import tiles_by_size
from skdeepenc.maps.checks import check_finite, check_magnitude

if TYPE_CHECKING:
    from skdeepenc.maps.feature_maps import FeatureMaps

__all__ = ["bytes_by_image", "unread_batches"]


def unread_batches(
    maps: "FeatureMaps",
    working_memory: float | None = None,
    bytes_per_image: ArrayLike | None = None,
    largest: Callable[[Any], float] | None = None,
) -> Iterator[Callable[[], "FeatureMaps"]]:
    """Yield a function that reads it for each batch of `FeatureMaps.iter_batches`.

    Who calls the function holds the only reference to the batch, and can let go of it early.

    Parameters
    ----------
    maps : FeatureMaps
        What to read.
    working_memory, bytes_per_image : float, array-like or None, default=None
        As `FeatureMaps.iter_batches` takes them.
    largest : callable or None, default=None
        Gives the largest magnitude of a float type, to which what is read from files is held.

    Yields
    ------
    callable
        Called without arguments, it returns the `FeatureMaps` of the next images, in memory and in
        float32 or float64.
    """
    sizes = bytes_by_image(maps, loaded=True)
    if bytes_per_image is not None:
        sizes = sizes + np.asarray(bytes_per_image)
    if working_memory is None:
        working_memory = get_config()["working_memory"]
    for images in tiles_by_size(sizes, working_memory * 2**20):
        yield partial(_read, maps[images], first_image=images.start, largest=largest)


def bytes_by_image(maps: "FeatureMaps", *, loaded: bool = False) -> NDArray[np.int64]:
    """Return the memory that each image takes.

    Parameters
    ----------
    maps : FeatureMaps
        The images.
    loaded : bool, default=False
        Whether to count what it takes to read float16: the values as stored, and in float32.

    Returns
    -------
    ndarray of int64 of shape (n_images,)
        The sizes.
    """
    sizes = np.zeros(len(maps), dtype=np.int64)
    for layer in maps.layers:
        itemsize = maps.select(layers=[layer]).dtype.itemsize
        if loaded and itemsize < 4:
            itemsize += 4
        sizes += maps.n_positions(layer) * maps.n_channels(layer) * itemsize
    return sizes


def _read(
    maps: "FeatureMaps", first_image: int, largest: Callable[[Any], float] | None
) -> "FeatureMaps":
    columns = [maps.select(layers=[layer]) for layer in maps.layers]
    if maps.in_memory and all(column.dtype != np.float16 for column in columns):
        return maps
    values = {layer: as_floats(maps.values(layer)) for layer in maps.layers}
    loaded = maps.from_values(values, {layer: maps.grid(layer) for layer in maps.layers})
    if not maps.in_memory:
        check_finite(loaded, first_image)
        if largest is not None:
            check_magnitude(loaded, largest, first_image)
    return loaded
