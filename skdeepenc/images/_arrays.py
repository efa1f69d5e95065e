"""Turn arrays that people call images into 8-bit images.

Programs disagree on what an image array is: bytes or floats, grey, colour or with opacity. What is
clear is taken; what is not is refused with the reason, rather than guessed.
"""

import numpy as np
from PIL import Image

from skdeepenc.exceptions import ImageError
from skdeepenc.images._deep_grey import shown_as_bytes

ROUNDING = 1e-3  # resampled floats overshoot their range by a little


def image_from_array(array):
    """Return an array of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) as an image of 8 bits."""
    pixels = _eight_bits(_check_shape(array))
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    return Image.fromarray(np.ascontiguousarray(pixels))


def _check_shape(array):
    """Refuse what is not an image, naming the axes where they can be told."""
    shape = array.shape
    if array.ndim not in (2, 3):
        raise ImageError(
            f"an array of shape {shape} is not an image; give (H, W), (H, W, 3) or (H, W, 4)"
        )
    if array.size == 0:
        raise ImageError(f"an array of shape {shape} has no pixels")
    if array.ndim == 3 and shape[2] not in (1, 3, 4):
        hint = "; move its first axis to the end" if shape[0] in (1, 3, 4) else ""
        raise ImageError(f"an array of shape {shape} has {shape[2]} channels, not 1, 3 or 4{hint}")
    return array


def _eight_bits(array):
    """Return the array as uint8, from whatever type and range it came in."""
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:
        return shown_as_bytes(array)
    if array.dtype.kind in "iu":
        _check_range(array, 255, "integers")
        return array.astype(np.uint8)
    if array.dtype.kind == "f":
        _check_range(array, 1, "floats")
        return np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8)
    raise ImageError(
        f"an array of {array.dtype} cannot hold pixels; give bytes, 16-bit integers, or floats "
        "from 0 to 1"
    )


def _check_range(array, limit, kind):
    """Refuse values outside 0 to `limit`; NaN is outside."""
    low, high = array.min(), array.max()
    slack = ROUNDING if array.dtype.kind == "f" else 0
    if not (low >= -slack and high <= limit + slack):
        raise ImageError(
            f"an array of {kind} must run from 0 to {limit}, not from {low:g} to {high:g} "
            "(bytes run from 0 to 255, floats from 0 to 1)"
        )
