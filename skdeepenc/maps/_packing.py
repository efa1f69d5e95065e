"""Lay arrays, and sequences of arrays, out as one column of descriptors and a grid; and back."""

from numbers import Number
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from skdeepenc._typing import Floats, Integers
from skdeepenc.exceptions import FeatureMapsError

if TYPE_CHECKING:
    from skdeepenc.maps.feature_maps import FeatureMaps

__all__ = ["is_sequence", "pack_images", "unpack_image"]

_ACCEPTED = (
    "give a 2-D (n, D), 3-D (n, positions, D) or 4-D (n, H, W, D) array, or a sequence of one "
    "(m, D) or (H, W, D) array, or a list of such arrays (one per scale), for each image"
)


def pack_images(images: Any) -> tuple[Floats, Integers]:
    """Lay the descriptors of all images one after the other.

    Parameters
    ----------
    images : array-like or sequence
        What `skdeepenc.maps.coercion` lists.

    Returns
    -------
    values : ndarray of shape (total, D)
        The descriptors, in float16, float32 or float64; a view of `images` where it is one array.
    grid : ndarray of int64 of shape (n_images, n_scales, 2)
        Rows and columns of every map; zeros where an image lacks the scale.

    Raises
    ------
    FeatureMapsError
        If an image has another number of dimensions or of channels, or values that are no
        numbers; the message names the first one.
    """
    if hasattr(images, "__array__"):
        images = np.asarray(images)
        if not images.dtype.hasobject or (images.size and isinstance(images.flat[0], Number)):
            return _pack_array(images)
    elif not _holds_arrays(images):  # lists of numbers all the way down
        return pack_images(_as_array(images, "The images"))
    return _pack_sequence([_scales_of(image, number) for number, image in enumerate(images)])


def unpack_image(maps: "FeatureMaps") -> dict[str, list[Floats]]:
    """Return the arrays of an image.

    Parameters
    ----------
    maps : FeatureMaps
        Maps of one image.

    Returns
    -------
    dict of str to list of ndarray of shape (H, W, D)
        Its maps, one per scale, by layer.
    """
    arrays = {}
    for layer in maps.layers:
        pieces = np.split(maps.values(layer), maps.offsets(layer)[1:-1])
        sizes = maps.grid(layer)[0]
        arrays[layer] = [
            piece.reshape(*size, maps.n_channels(layer))
            for piece, size in zip(pieces, sizes, strict=True)
        ]
    return arrays


def is_sequence(image: Any) -> bool:
    """Tell whether an item of a sequence is itself a sequence, rather than one array."""
    return isinstance(image, list | tuple) or getattr(image, "dtype", np.dtype(float)).hasobject


def _holds_arrays(images: Any) -> bool:
    if isinstance(images, list | tuple):
        return any(_holds_arrays(image) for image in images)
    return hasattr(images, "__array__")


def _as_array(values: Any, name: str) -> Floats:
    try:
        array = np.asarray(values)
        array = array.astype(np.float64) if array.dtype.kind in "OSU" else array
    except (TypeError, ValueError) as error:
        raise FeatureMapsError(
            f"{name} cannot be read as an array of numbers: {_ACCEPTED}."
        ) from error
    if np.iscomplexobj(array):
        raise FeatureMapsError(f"{name} is complex: Complex data not supported.")
    floats = array.dtype in (np.float16, np.float32, np.float64)
    return array if floats else array.astype(np.float64)  # as scikit-learn does


def _pack_array(images: NDArray[Any]) -> tuple[Floats, Integers]:
    if images.ndim not in (2, 3, 4) or images.shape[-1] == 0:
        raise FeatureMapsError(
            f"An array of shape {images.shape} does not hold feature maps: {_ACCEPTED}."
        )
    height = images.shape[1] if images.ndim > 2 else 1
    width = images.shape[2] if images.ndim > 3 else 1
    values = _as_array(images, "The array")
    grid = np.full((len(images), 1, 2), (height, width), dtype=np.int64)
    return values.reshape(-1, images.shape[-1]), grid


def _scales_of(image: Any, number: int) -> list[Floats]:
    """Return the maps of one image, one per scale, each of shape (H, W, D)."""
    several = is_sequence(image)
    if several and not _holds_arrays(list(image)) and len(image):
        image, several = _as_array(image, f"Image {number}"), False
    scales = [_as_array(scale, f"Image {number}") for scale in (image if several else [image])]
    for scale in scales:
        if scale.ndim not in (2, 3):
            raise FeatureMapsError(
                f"Image {number} has an array of shape {scale.shape}, where (m, D) or (H, W, D) "
                f"is needed: {_ACCEPTED}."
            )
    return [scale[:, None, :] if scale.ndim == 2 else scale for scale in scales]


def _pack_sequence(images: list[list[Floats]]) -> tuple[Floats, Integers]:
    n_scales = max((len(scales) for scales in images), default=0)
    maps = [scale for scales in images for scale in scales]
    if not maps:
        raise FeatureMapsError(f"None of the {len(images)} images has an array: {_ACCEPTED}.")
    n_channels = maps[0].shape[-1]
    grid = np.zeros((len(images), n_scales, 2), dtype=np.int64)
    for number, scales in enumerate(images):
        for index, scale in enumerate(scales):
            if scale.shape[-1] != n_channels:
                raise FeatureMapsError(
                    f"Image {number} has {scale.shape[-1]} channels at scale {index}, where the "
                    f"first image has {n_channels}: maps of one layer must agree."
                )
            grid[number, index] = scale.shape[:2]
    return np.concatenate([scale.reshape(-1, n_channels) for scale in maps]), grid
