"""Find what is wrong with feature maps, and say where."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config

from skdeepenc._typing import Integers
from skdeepenc.exceptions import FeatureMapsError, NonFiniteError

if TYPE_CHECKING:
    from skdeepenc.maps.feature_maps import FeatureMaps

__all__ = ["check_columns", "check_finite", "check_magnitude"]


def check_columns(values: Mapping[str, NDArray[Any]], grids: Mapping[str, Integers]) -> None:
    """Raise an error that names the layer whose values and grid do not fit together.

    Parameters
    ----------
    values : dict of str to ndarray of shape (total, D)
        Each layer's descriptors.
    grids : dict of str to ndarray of int of shape (n_images, n_scales, 2)
        Rows and columns of every map, by layer.
    """
    if not values or list(values) != list(grids):
        raise FeatureMapsError(
            f"Values of layers {list(values)} and grids of layers {list(grids)}: give both for "
            "the same layers, and at least one."
        )
    first_layer, first_grid = next(iter(grids.items()))
    for layer, column in values.items():
        grid = grids[layer]
        if grid.ndim != 3 or grid.shape[2] != 2 or grid.dtype != np.int64 or np.any(grid < 0):
            raise FeatureMapsError(
                f"The grid of layer {layer!r} has shape {grid.shape} and type {grid.dtype}, where "
                "sizes in an int64 array of shape (n_images, n_scales, 2) are needed."
            )
        if grid.shape != first_grid.shape:
            raise FeatureMapsError(
                f"Layer {layer!r} has {grid.shape[0]} images at {grid.shape[1]} scales, and layer "
                f"{first_layer!r} {first_grid.shape[0]} at {first_grid.shape[1]}: give the same "
                "images and scales for every layer."
            )
        _check_rows(layer, column, grid)


def _check_rows(layer: str, column: NDArray[Any], grid: Integers) -> None:
    expected = grid.prod(axis=2).sum()
    if column.ndim != 2 or len(column) != expected:
        raise FeatureMapsError(
            f"The values of layer {layer!r} have shape {column.shape}; the grid asks for "
            f"({expected}, D)."
        )
    if column.dtype not in (np.float16, np.float32, np.float64):
        raise FeatureMapsError(
            f"The values of layer {layer!r} are {column.dtype}: float16, float32 or float64 "
            "are needed."
        )


def check_finite(maps: "FeatureMaps", first_image: int = 0) -> None:
    """Raise an error that names the first image and layer with NaN or infinity.

    Parameters
    ----------
    maps : FeatureMaps
        The maps to look at, in memory.
    first_image : int, default=0
        Number of the first image of `maps`, for the message.
    """
    if get_config()["assume_finite"]:
        return
    for layer in maps.layers:
        values = maps.values(layer)
        # One sum finds nearly always that all is well, without an array of truth values.
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(np.sum(values, dtype=np.result_type(values, np.float32))):
                continue
        bad_rows = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(bad_rows):
            image, scale = _owner(maps, layer, bad_rows[0])
            raise NonFiniteError(
                f"Image {first_image + image} has NaN or infinity in layer {layer!r} at scale "
                f"{scale}: {len(bad_rows)} descriptors in all hold such values. Leave the image "
                "out, or look for an overflow in the backbone (float16?)."
            )


def check_magnitude(
    maps: "FeatureMaps", largest: Callable[[Any], float], first_image: int = 0
) -> None:
    """Raise an error that names the first image and layer with a value that is too large.

    Parameters
    ----------
    maps : FeatureMaps
        Finite maps, in memory.
    largest : callable
        Gives the largest magnitude for a float type.
    first_image : int, default=0
        Number of the first image of `maps`, for the message.
    """
    for layer in maps.layers:
        values = maps.values(layer)
        if values.dtype == np.float16:  # encoded as float32, in which none of it is large
            continue
        bound = largest(values.dtype)
        low, high = values.min(initial=0), values.max(initial=0)
        if max(-low, high) <= bound or get_config()["assume_finite"]:
            continue
        row = np.flatnonzero((np.abs(values) > bound).any(axis=1))[0]
        image, scale = _owner(maps, layer, row)
        raise NonFiniteError(
            f"Image {first_image + image} reaches {np.abs(values[row]).max():.3g} in layer "
            f"{layer!r} at scale {scale}: values above {bound:.3g} are too large for "
            f"{values.dtype}. Scale them down, for instance with l2_normalize, or give float64."
        )


def _owner(maps: "FeatureMaps", layer: str, row: int) -> tuple[int, int]:
    """Return the image and the scale that a descriptor is of."""
    segment = np.searchsorted(maps.offsets(layer), row, side="right") - 1
    return divmod(int(segment), maps.n_scales)
