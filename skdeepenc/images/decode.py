"""Decode whatever people call an image into the picture that a person sees, as RGB.

Viewers turn pictures the way their EXIF tag says, show transparency on white, show an animation's
first frame, and show 16 bits as 8. So do we. What cannot be read raises `ImageError` with the
reason, whatever a parser stumbled on: damaged files make them raise nearly anything.
"""

import io
import os
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from skdeepenc.exceptions import ImageError
from skdeepenc.images.arrays import picture_from_array, stretch_to_eight_bits
from skdeepenc.images.jpeg import decode_jpeg, shrink_factor

# These run other programs or need them, and are drawings rather than pictures.
REFUSED_FORMATS = {"EPS", "WMF", "FPX", "MIC", "PDF"}

# Several pictures in one file begin with a complete JPEG.
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


def decode_image(source, *, smallest=None):
    """Decode one image to RGB pixels, as a person would see it.

    Parameters
    ----------
    source : path, bytes, PIL.Image.Image or array
        A file, the content of one, an opened picture, or an array of shape (H, W), (H, W, 1),
        (H, W, 3) or (H, W, 4): bytes from 0 to 255, floats from 0 to 1, or 16-bit integers.
    smallest : int, optional
        The shorter edge that will do, in pixels. Formats that can then decode to a half, a quarter
        or an eighth of the size, never to less than one and a half times this edge.

    Returns
    -------
    array of shape (H, W, 3), uint8
        The picture: turned upright, transparency on white, an animation's first frame.

    Raises
    ------
    ImageError
        If it cannot be read; the message names it and says why.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.images import decode_image
    >>> decode_image(np.array([[0.0, 1.0]])).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    try:
        return np.asarray(load_picture(read_source(source), smallest=smallest))
    except ImageError as error:
        raise ImageError(f"{describe_source(source)}: {error}") from error.__cause__


def read_source(source):
    """Return the content of a file as bytes, and anything else as it is."""
    if not isinstance(source, str | os.PathLike):
        return source
    try:
        return Path(source).read_bytes()
    except FileNotFoundError:
        raise ImageError("there is no such file") from None
    except IsADirectoryError:
        raise ImageError("this is a folder, not a file") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"the file cannot be read ({error})") from error


def describe_source(source, position=None):
    """Return how to call an image in a message: its path, or what and which one it is."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    where = "" if position is None else f" {position}"
    shape = getattr(source, "shape", None)
    what = type(source).__name__ if shape is None else f"array of shape {tuple(shape)}"
    return f"image{where} ({what})"


def load_picture(content, *, smallest=None):
    """Decode what `read_source` returned into an upright RGB picture.

    Parameters
    ----------
    content : bytes, PIL.Image.Image or array
        The content of a file, an opened picture, or pixels.
    smallest : int, optional
        The shorter edge that will do; see `decode_image`.

    Returns
    -------
    PIL.Image.Image
        The picture, in mode RGB.
    """
    try:
        return _load(content, smallest)
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError("this is not an image of a known format") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(
            f"{error}; set PIL.Image.MAX_IMAGE_PIXELS higher if you trust it"
        ) from error
    except Exception as error:
        # Parsers of damaged files raise OSError, ValueError, SyntaxError, struct.error, KeyError...
        raise ImageError(f"the image is damaged or cut off ({error})") from error


def _load(content, smallest):
    if isinstance(content, Image.Image):
        return _as_seen(content)
    if isinstance(content, bytes | bytearray | memoryview):
        return _load_file(bytes(content), smallest)
    if isinstance(content, np.ndarray):
        return _as_seen(picture_from_array(content))
    raise ImageError(f"a {type(content).__name__} is no image; give a path, bytes or an array")


def _load_file(data, smallest):
    """Decode the content of a file."""
    if not data:
        raise ImageError("the file is empty")
    image = Image.open(io.BytesIO(data), formats=_readable_formats())
    if image.format not in JPEG_FORMATS:
        return _as_seen(image)
    orientation = image.getexif().get(ORIENTATION_TAG)
    picture = decode_jpeg(image, data, shrink_factor(*image.size, smallest))
    return _turned(_flattened(picture), orientation)


def _readable_formats():
    """Return the formats that Pillow and its plug-ins read, but those that are no pictures."""
    Image.init()
    return [name for name in Image.ID if name not in REFUSED_FORMATS]


def _as_seen(image):
    """Return an opened picture as RGB and upright."""
    if not all(image.size):
        raise ImageError("the picture has no pixels")
    image.load()  # before its tag is asked for: TIFF turns itself upright while loading
    return _turned(_flattened(image), image.getexif().get(ORIENTATION_TAG))


def _turned(picture, orientation):
    """Turn a picture upright; tags out of range mean nothing."""
    method = UPRIGHT.get(orientation)
    return picture if method is None else picture.transpose(method)


def _flattened(image):
    """Return a picture as RGB: 16 bits as 8, transparency on white."""
    if image.mode.startswith("I;16"):
        image = picture_from_array(np.asarray(image).astype(np.uint16))
    elif image.mode in ("I", "F"):
        image = Image.fromarray(stretch_to_eight_bits(image))
    if image.has_transparency_data:
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, image.convert("RGBA"))
    return image if image.mode == "RGB" else image.convert("RGB")
