"""One image on its way to a vector: what is known of it, and what went wrong."""

import os
from typing import Any

from PIL import Image

from skdeepenc.exceptions import ImageError
from skdeepenc.extraction.sources import content_digest
from skdeepenc.images.decode import read_source, upright_size
from skdeepenc.search.storage import is_url, store_of

__all__ = ["LARGEST", "EncodedImage", "as_text", "image_endings"]

#: Bytes that no image worth decoding has more of.
LARGEST = 1 << 29
# Of images that Pillow reads with a plug-in: without it they are named as failures, not left out.
_PLUGIN_ENDINGS = {".heic", ".heif", ".avif", ".jxl"}


def image_endings():
    """Return how the names of images end, in lower case."""
    return {*Image.registered_extensions(), *_PLUGIN_ENDINGS}


def as_text(name: str) -> str:
    """Return a name as Unicode, which what a file system gives need not be."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


class EncodedImage:
    """An image, which is read once.

    Parameters
    ----------
    name : str
        Its path, URL, or what else it is called.
    source : path, URL, bytes, PIL.Image.Image or array
        Where its content is.

    Attributes
    ----------
    digest : str or None
        SHA-256 of its content, once it was read.
    size : (int, int)
        Width and height as a person sees it; None where its file does not tell.
    error : str or None
        Why it has no vector.
    """

    def __init__(self, name: str, source: Any) -> None:
        self.name = as_text(name)
        self.source = source
        self.digest: str | None = None
        self.size: tuple[int | None, int | None] = (None, None)
        self.error: str | None = None

    def __str__(self) -> str:
        return self.name

    @property
    def is_named(self) -> bool:
        """Whether its content lies elsewhere, under its name."""
        return isinstance(self.source, str | os.PathLike)

    @property
    def row(self) -> tuple[Any, ...]:
        """What the table says of it, in the order of its columns."""
        return (self.name, self.digest, *self.size, self.error)

    def read(self) -> Any:
        """Return its content, and forget where it was.

        Returns
        -------
        bytes, PIL.Image.Image or array
            What `skdeepenc.images.decode.load_image` takes.

        Raises
        ------
        ImageError
            If it is not there, or not an image.
        """
        # Contents of archives would otherwise stay until the last image of the shard.
        source, self.source = self.source, None
        if isinstance(source, str | os.PathLike) and os.fspath(source) != self.name:
            raise ImageError("its name is not text in UTF-8: give the file another one")
        content = _fetch(source) if _is_remote(source) else read_source(source)
        self.digest = content_digest(content)
        self.size = upright_size(content)
        return content


def _is_remote(source):
    return isinstance(source, str | os.PathLike) and is_url(source)


def _fetch(url):
    """Read a file of an object store."""
    try:
        store, path = store_of(url)
        with store.open(path, "rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise ImageError("there is no such file") from None
    except Exception as error:  # stores raise the types of their own libraries
        raise ImageError(f"it cannot be fetched ({type(error).__name__}: {error})") from error
    if len(content) > LARGEST:
        raise ImageError(f"it has more than {LARGEST / 2**30:g} GiB")
    return content
