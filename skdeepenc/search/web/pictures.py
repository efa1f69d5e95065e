"""What the page is shown of indexed images: small ones, large ones, and nothing but pixels.

Files are read by their names in the index, and only what has the indexed digest is used: a link
that leads elsewhere by now, or a file that was replaced, is not shown. Pixels are compressed anew,
so that neither places nor comments nor whatever else a file holds ever leave it.
"""

import io
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from skdeepenc.exceptions import ImageError
from skdeepenc.extraction.sources import content_digest
from skdeepenc.images.decode import load_image, read_source
from skdeepenc.search.storage import is_url

__all__ = ["LARGE", "SMALL", "Pictures", "as_jpeg", "indexed_content"]

#: The longer sides, in pixels.
SMALL, LARGE = 256, 1280
_QUALITY = {SMALL: 78, LARGE: 88}
# About 15 kB each.
_MOST_SMALL = 4096


def indexed_content(name: str, digest: str, start: Path) -> bytes:
    """Return the content of an indexed image.

    Parameters
    ----------
    name, digest : str
        Of the image, as the index has them.
    start : Path
        Where relative names begin.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    ImageError
        If it is not a file of this machine, is not there, or is not what was indexed.
    """
    if is_url(name):
        raise ImageError("it is not a file of this machine, and the page opens no other")
    try:
        content = read_source(start / name)
    except ImageError as error:
        where = "start the page in the folder from which the images were indexed"
        raise ImageError(
            f"{error}: {where}" if not Path(name).is_absolute() else f"{error}"
        ) from error
    if content_digest(content) != digest:
        raise ImageError("the file has changed since it was indexed: update the index")
    return content


def as_jpeg(content: Any, side: int) -> bytes:
    """Return an image as a JPEG that holds its pixels and nothing else.

    Parameters
    ----------
    content : bytes, PIL.Image.Image or array
        The image.
    side : {SMALL, LARGE}
        Its longer side will have at most so many pixels.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    ImageError
        If it cannot be read.
    """
    image = load_image(content, smallest=side)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    # Of an opened image Pillow would write the comment as well.
    bare = Image.fromarray(np.asarray(image))
    bare.save(file, "JPEG", quality=_QUALITY[side], optimize=True)
    return file.getvalue()


class Pictures:
    """Indexed images as the page shows them; small ones are remembered by their digests.

    Parameters
    ----------
    start : Path
        Where relative names begin.
    """

    def __init__(self, start: Path) -> None:
        self.start = start
        self.small: Callable[[str, str], bytes] = lru_cache(_MOST_SMALL)(self._small)

    def content(self, name: str, digest: str) -> bytes:
        """Return the content of an indexed image."""
        return indexed_content(name, digest, self.start)

    def large(self, name: str, digest: str) -> bytes:
        """Return an image to look at."""
        return as_jpeg(self.content(name, digest), LARGE)

    def _small(self, name, digest):
        return as_jpeg(self.content(name, digest), SMALL)
