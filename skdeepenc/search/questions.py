"""What an index is asked: images as vectors, and which of its own images may be the answer."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skdeepenc.exceptions import ImageBatchError, StorageError
from skdeepenc.functional.normalize import unit_rows
from skdeepenc.search.listing import list_images

__all__ = ["IMAGES_A_PART", "Where", "allowed_rows", "encode_queries"]

#: A pattern of names, a function of a name, or a mask over `ImageIndex.images`.
Where: TypeAlias = str | Callable[[str], bool] | Sequence[bool] | NDArray[np.bool_] | None
IMAGES_A_PART = 10_000


def encode_queries(encoder: Any, images: Any, n_features: int) -> tuple[list, NDArray[np.float32]]:
    """Return what queries are called, and their vectors.

    Parameters
    ----------
    encoder : ImageEncoder
        What turns images into vectors.
    images : object
        What `encode` takes.
    n_features : int
        How long the vectors of the index are; 0 where it has none.

    Returns
    -------
    names : list
        Paths or names; positions where all are images without names.
    vectors : ndarray of shape (n_queries, n_features)
        Of unit length.

    Raises
    ------
    ImageBatchError
        If images cannot be read.
    StorageError
        If the encoder makes vectors of another length.
    """
    queries, vectors = [], []
    found = chain.from_iterable(list_images(images, IMAGES_A_PART).parts)
    is_named = []

    def noted(images):
        for image in images:
            is_named.append(image.is_named)
            yield image

    for block, encoded in encoder.blocks(noted(found), "float32"):
        queries += block
        vectors.append(encoded)
    failures = {image.name: image.error for image in queries if image.error is not None}
    if failures:
        raise ImageBatchError(failures)
    width = vectors[0].shape[1]
    if n_features not in (0, width):
        raise StorageError(
            f"The encoder makes vectors of {width} values; those of the index have {n_features}."
        )
    names = [image.name for image in queries] if any(is_named) else list(range(len(queries)))
    return names, unit_rows(np.concatenate(vectors))


def allowed_rows(snapshot: Any, where: Where) -> NDArray[np.bool_]:
    """Return which rows of an index may be found.

    Parameters
    ----------
    snapshot : Snapshot
        The index.
    where : str, callable, array-like of bool or None
        A pattern of names, a function of a name, or a mask over the images that count.

    Returns
    -------
    ndarray of bool of shape (n_rows,)
        The mask.

    Raises
    ------
    ValueError
        If a mask has another length, or does not hold truth values.
    """
    is_kept = snapshot.is_kept
    if where is None:
        return is_kept
    if isinstance(where, str) or callable(where):
        fits = where if callable(where) else lambda name: fnmatchcase(name, where)
        mask = np.array([bool(fits(name)) for name in snapshot.names[is_kept]], dtype=bool)
    else:
        mask = np.asarray(where)
    if mask.dtype != bool or mask.shape != (len(snapshot),):
        raise ValueError(
            f"where is an array of {mask.dtype} of shape {mask.shape}; expected is a mask of bool "
            f"over the {len(snapshot)} images of the index."
        )
    allowed = is_kept.copy()
    allowed[is_kept] = mask
    return allowed
