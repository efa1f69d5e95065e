"""Decode whatever people call an image into what a person sees, as RGB.

Viewers turn images the way their EXIF tag says, follow their colour profile, show transparency on
white, an animation's first frame, and deep greys in 8 bits. So do we. What cannot be read raises
`ImageError` with the reason, whatever a parser stumbled on: damaged files make them raise nearly
anything.
"""

import io
import os
import threading

import numpy as np
import PIL.ImageFile  # noqa: F401 (Pillow's first use would import it, maybe amid a fork)
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from skdeepenc._typing import ImageSource
from skdeepenc.exceptions import ImageError
from skdeepenc.images._arrays import image_from_array
from skdeepenc.images._colour import as_rgb
from skdeepenc.images._files import read_file
from skdeepenc.images._jpeg import decode_jpeg, shrink_factor
from skdeepenc.images._limits import check_size
from skdeepenc.images._signatures import describe_unreadable, register_plugins

# Drawings that need other programs, and names for files that Pillow knows but cannot decode.
REFUSED_FORMATS = {
    *("EPS", "WMF", "FPX", "MIC", "PDF"),
    *("BUFR", "GRIB", "HDF5", "MPEG"),
}

# Several images in one file begin with a complete JPEG.
JPEG_FORMATS = {"JPEG", "MPO"}
ORIENTATION_TAG = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# The ways of turning that exchange width and height.
_SWAPPED = {5, 6, 7, 8}
# An opened image that occurs twice would be loaded by two threads at once; one lock for each would
# outlive it.
_LOCKS = [threading.Lock() for _ in range(64)]


def _renew_locks():
    """Give a forked child locks that no thread of its parent holds."""
    _LOCKS[:] = [threading.Lock() for _ in _LOCKS]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


def decode_image(source: ImageSource, *, smallest: int | None = None) -> NDArray[np.uint8]:
    """Decode one image to RGB pixels, as a person would see it.

    Parameters
    ----------
    source : path, bytes, PIL.Image.Image or array
        A file, the content of one, an opened image, or an array of shape (H, W), (H, W, 1),
        (H, W, 3) or (H, W, 4): bytes from 0 to 255, floats from 0 to 1, or 16-bit integers, shown
        by their bit depth (10, 12, 14 or 16).
    smallest : int, optional
        The shorter edge that will do, in pixels. Formats that can then decode to a half, a quarter
        or an eighth of the size, never to less than one and a half times this edge.

    Returns
    -------
    array of shape (H, W, 3), uint8
        The image: turned upright, in sRGB, transparency on white, an animation's first frame.

    Raises
    ------
    ImageError
        If it cannot be read, or would take more than 1 GiB of memory to decode; the message names
        it and says why.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.images import decode_image
    >>> decode_image(np.array([[0.0, 1.0]])).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    try:
        return np.asarray(load_image(read_source(source), smallest=smallest))
    except ImageError as error:
        raise ImageError(f"{describe_source(source)}: {error}") from error.__cause__


def read_source(source):
    """Return the content of a file as bytes, and anything else as it is."""
    return read_file(source) if isinstance(source, str | os.PathLike) else source


def describe_source(source, position=None):
    """Return how to call an image in a message: its path, or what and which one it is."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    where = "" if position is None else f" {position}"
    shape = getattr(source, "shape", None)
    what = type(source).__name__ if shape is None else f"array of shape {tuple(shape)}"
    return f"image{where} ({what})"


def upright_size(content):
    """Return (width, height) of what `read_source` returned, without decoding its pixels.

    Parameters
    ----------
    content : bytes, PIL.Image.Image or array
        The content of a file, an opened image, or pixels.

    Returns
    -------
    (int, int)
        The size of the image as a person sees it.

    Raises
    ------
    ImageError
        If it is not an image.
    """
    if isinstance(content, bytes | bytearray | memoryview):
        content = _decoding(_opened, bytes(content))
    elif not isinstance(content, Image.Image):
        content = load_image(content)
    width, height = content.size
    is_turned = _orientation(content) in _SWAPPED
    return (height, width) if is_turned else (width, height)


def load_image(content: ImageSource, *, smallest: int | None = None) -> Image.Image:
    """Decode what `read_source` returned into an upright RGB image.

    Parameters
    ----------
    content : bytes, PIL.Image.Image or array
        The content of a file, an opened image, or pixels.
    smallest : int, optional
        The shorter edge that will do; see `decode_image`.

    Returns
    -------
    PIL.Image.Image
        The image, in mode RGB.
    """
    if isinstance(content, Image.Image):
        image, orientation = _load_opened(content)
    elif isinstance(content, bytes | bytearray | memoryview):
        image, orientation = _load_file(bytes(content), smallest)
    elif isinstance(content, np.ndarray):
        image, orientation = image_from_array(content), None
    else:
        raise ImageError(
            f"a {type(content).__name__} is not an image; give a path, bytes or an array"
        )
    try:
        return _turned(as_rgb(image), orientation)
    except MemoryError:
        raise _out_of_memory(image) from None


def _load_opened(image):
    """Load the pixels of an opened image, which other threads may do at the same moment."""
    if not all(image.size):
        raise ImageError("the image has no pixels")
    check_size(image)
    with _LOCKS[id(image) // 64 % len(_LOCKS)]:
        if _is_closed(image):
            raise ImageError(
                "the image was opened from a file that has been closed; call its load() before, or "
                "give the path"
            )
        _decoding(image.load)
        return image, _orientation(image)


def _is_closed(image):
    """Tell whether pixels that are still to be read cannot be."""
    if not getattr(image, "tile", None):
        return False
    file = getattr(image, "fp", None)
    return not hasattr(file, "read") or getattr(file, "closed", False)


def _load_file(data, smallest):
    """Decode the content of a file."""
    image = _decoding(_opened, data)
    if image.format not in JPEG_FORMATS:
        return _load_opened(image)
    factor = shrink_factor(image.width, image.height, smallest)
    check_size(image, factor)
    orientation = _orientation(image)
    return _decoding(decode_jpeg, image, data, factor), orientation


def _opened(data):
    if not data:
        raise ImageError("the file is empty")
    register_plugins()
    Image.init()
    formats = [name for name in Image.ID if name not in REFUSED_FORMATS]
    try:
        return Image.open(io.BytesIO(data), formats=formats)
    except UnidentifiedImageError:
        raise ImageError(describe_unreadable(data)) from None


def _decoding(decode, *arguments):
    """Call a decoder; whatever it stumbles on is the fault of the file."""
    try:
        return decode(*arguments)
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(
            f"{error}; set PIL.Image.MAX_IMAGE_PIXELS higher if you trust it"
        ) from error
    except MemoryError:
        raise ImageError("there is not enough memory to decode it") from None
    except Exception as error:
        if "not available" in str(error) or isinstance(error, NotImplementedError):
            raise ImageError(f"Pillow cannot decode an image of this kind ({error})") from error
        # Parsers of damaged files raise OSError, ValueError, SyntaxError, struct.error, KeyError...
        raise ImageError(f"the image is damaged or cut off ({error})") from error


def _orientation(image):
    """Return the tag that says how to turn the image; damaged tags say nothing.

    Asked for when the pixels are there: TIFF turns itself upright while loading.
    """
    try:
        return image.getexif().get(ORIENTATION_TAG)
    except Exception:  # parsers of damaged tags raise nearly anything
        return None


def _turned(image, orientation):
    """Turn an image upright; tags out of range mean nothing."""
    method = UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return image if method is None else image.transpose(method)


def _out_of_memory(image):
    width, height = image.size
    return ImageError(f"there is not enough memory for {width} x {height} pixels")
