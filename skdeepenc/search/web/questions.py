"""What the page asks: images like one of the index, one that was sent, or a part of either."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skdeepenc.exceptions import ImageBatchError, ImageError
from skdeepenc.images.decode import decode_image, upright_size
from skdeepenc.persistence import load
from skdeepenc.search.approximate import similar_images
from skdeepenc.search.questions import encode_queries
from skdeepenc.search.similar import most_similar
from skdeepenc.search.vector_part import open_kept_encoder
from skdeepenc.search.web.collection import Collection

__all__ = ["Box", "Encoders", "Question", "check_upload", "part_of", "similar"]

#: Bytes and pixels of an image that is sent; files of an index may have more.
LARGEST_UPLOAD = 64 * 2**20
MOST_PIXELS = 100_000_000
_SMALLEST_PART = 8


@dataclass(frozen=True)
class Box:
    """A part of an image, in shares of its width and height.

    Parameters
    ----------
    left, top, right, bottom : float
        From 0 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.search.web.questions import Box
    >>> Box.read("0.5,0,1,0.5").cut(np.zeros((20, 40, 3))).shape
    (10, 20, 3)
    """

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def read(cls, text: str) -> "Box":
        """Read four numbers with commas between them.

        Raises
        ------
        ValueError
            If they are no such part.
        """
        try:
            left, top, right, bottom = map(float, text.split(","))
        except ValueError:
            raise ValueError(f"{text[:40]!r} is not a box of four numbers.") from None
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
            raise ValueError(f"The box {text[:40]} is not inside the image.")
        return cls(left, top, right, bottom)

    def cut(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return this part of an image.

        Raises
        ------
        ValueError
            If it has hardly any pixels.
        """
        height, width = pixels.shape[:2]
        rows = slice(round(self.top * height), round(self.bottom * height))
        columns = slice(round(self.left * width), round(self.right * width))
        part = pixels[rows, columns]
        if min(part.shape[:2]) < _SMALLEST_PART:
            raise ValueError(f"The box has {part.shape[1]} x {part.shape[0]} pixels: mark more.")
        return np.ascontiguousarray(part)


@dataclass(frozen=True)
class Question:
    """What similar images are looked for.

    Parameters
    ----------
    row : int or None
        An image of the index, or
    content : bytes or None
        the content of a file.
    box : Box or None
        A part of it.
    """

    row: int | None = None
    content: bytes | None = None
    box: Box | None = None


class Encoders:
    """The encoder of an index, opened when it is first needed, and again when it is another one."""

    def __init__(self) -> None:
        self._encoder = lru_cache(maxsize=1)(open_kept_encoder)
        self._pipeline = lru_cache(maxsize=1)(_load)

    def encoder(self, collection: Collection) -> Any:
        """Return what turns images into vectors."""
        return self._encoder(*_place_of(collection))

    def pipeline(self, collection: Collection) -> Any:
        """Return the pipeline as it was saved; None where the encoder is a graph."""
        return self._pipeline(*_place_of(collection))


def _place_of(collection):
    snapshot = collection.snapshot
    return snapshot.folder / snapshot.manifest.encoder, snapshot.manifest.encoder_digest


def _load(path: Path, digest: str) -> Any:  # the digest is what the cache goes by
    return load(path) if path.suffix == ".skops" else None


def check_upload(content: bytes) -> bytes:
    """Return the content of a file that was sent, if it is an image of bearable size.

    Raises
    ------
    ImageError
        If it is not.
    """
    width, height = upright_size(content)
    if width * height > MOST_PIXELS:
        raise ImageError(
            f"it has {width} x {height} pixels, more than {MOST_PIXELS // 10**6} million"
        )
    return content


def part_of(content: bytes, box: Box | None) -> Any:
    """Return what of a file is encoded: its content, or the pixels of a part."""
    return content if box is None else box.cut(decode_image(content))


def similar(
    collection: Collection, encoder: Any, image: Any, folder: int, n_neighbors: int
) -> list[dict[str, Any]]:
    """Find the images most similar to another.

    Parameters
    ----------
    collection : Collection
        Where to look.
    encoder : callable
        Returns what turns images into vectors.
    image : int, bytes or array
        A row of the index, the content of a file, or pixels.
    folder : int
        The folder to look in; 0 for all.
    n_neighbors : int
        How many to find.

    Returns
    -------
    list of dict
        What the page is told of them, best first.

    Raises
    ------
    ImageError
        If the image cannot be read.
    """
    snapshot = collection.snapshot
    if isinstance(image, int):
        vectors = snapshot.take(np.array([image]))
    else:
        vectors = _encoded(encoder(), image, snapshot.manifest.n_features)
    if folder:
        allowed = collection.allowed_in(folder)
        similarities, rows = most_similar(snapshot, vectors, n_neighbors, allowed)
    else:
        similarities, rows = similar_images(snapshot, vectors, n_neighbors)
    return [
        {**collection.entry(int(row)), "similarity": min(float(similarity), 1.0)}
        for similarity, row in zip(similarities[0], rows[0], strict=True)
    ]


def _encoded(encoder, image, n_features):
    try:
        return encode_queries(encoder, [image], n_features)[1]
    except ImageBatchError as error:
        raise ImageError(*error.failures.values()) from error
