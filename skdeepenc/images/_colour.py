"""From whatever colours a decoded image has to the RGB that a screen shows.

Profiles are followed: the same numbers are other colours in Display P3, Adobe RGB or a printer's
inks, and networks were trained on sRGB. Transparency lies on white. Large images are converted in
strips, so that there are never several copies of one.
"""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

from skdeepenc.images._arrays import image_from_array
from skdeepenc.images._deep_grey import shown_as_bytes

_STRIP_PIXELS = 1 << 22
_NODATA_TAG = 42113  # GDAL's, in TIFF
# What a profile's colour space must be for the modes that it can describe.
_SPACES = {"RGB": "RGB", "RGBA": "RGB", "L": "GRAY", "CMYK": "CMYK"}


def as_rgb(image):
    """Return a loaded image in mode RGB: profiles applied, deep greys shown, paper behind it.

    Parameters
    ----------
    image : PIL.Image.Image
        An image whose pixels are loaded.

    Returns
    -------
    PIL.Image.Image
        The image itself where it is in RGB already.
    """
    if image.mode.startswith("I;16"):
        return image_from_array(np.asarray(image).astype(np.uint16)).convert("RGB")
    if image.mode in ("I", "F"):
        shown = shown_as_bytes(np.asarray(image), _missing_mark(image))
        return Image.fromarray(shown).convert("RGB")
    profile = image.info.get("icc_profile")
    profile = profile if isinstance(profile, bytes) else None
    if image.mode == "RGB" and not image.has_transparency_data and profile is None:
        return image
    return _by_strips(image, profile)


def _missing_mark(image):
    """Return the number by which a TIFF marks missing data, or None."""
    try:
        return float(str(image.tag_v2[_NODATA_TAG]).strip("\0 "))
    except (AttributeError, KeyError, ValueError):
        return None


def _by_strips(image, profile):
    rows = max(_STRIP_PIXELS // image.width, 1)
    if rows >= image.height:
        return _strip_as_rgb(image, profile)
    shown = Image.new("RGB", image.size)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        strip = image.crop((0, top, image.width, bottom))
        shown.paste(_strip_as_rgb(strip, profile), (0, top))
    return shown


def _strip_as_rgb(image, profile):
    if image.has_transparency_data:
        seen = _transformed(image.convert("RGBA"), profile)
        return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")
    if image.mode == "LAB":
        return _transform_of_lab().apply(image)
    if image.mode not in _SPACES:
        image = image.convert("L" if image.mode == "1" else "RGB")
    return _transformed(image, profile).convert("RGB")


def _transformed(image, profile):
    """Return the image in sRGB by its profile; by none where that is damaged or of another kind."""
    transform = None if profile is None else _transform(profile, image.mode)
    return image if transform is None else transform.apply(image)


@lru_cache(maxsize=16)
def _transform(profile, mode):
    """Return what turns pixels of a profile into sRGB; None where nothing does or need be done."""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        described = opened.profile.profile_description or ""
        if opened.profile.xcolor_space.strip() != _SPACES[mode] or described.startswith("sRGB"):
            return None
        output = "RGBA" if mode == "RGBA" else "RGB"
        return ImageCms.buildTransform(opened, _srgb(), mode, output)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError, AttributeError, ImportError):
        return None  # a damaged profile says nothing, nor does any to a Pillow without lcms


@lru_cache(maxsize=1)
def _transform_of_lab():
    return ImageCms.buildTransform(ImageCms.createProfile("LAB"), _srgb(), "LAB", "RGB")


def _srgb():
    return ImageCms.createProfile("sRGB")
