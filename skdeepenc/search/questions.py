"""What an index is asked: images as vectors, and which of its own images may be the answer."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skdeepenc.exceptions import ImageBatchError, StorageError
from skdeepenc.functional.normalize import unit_rows
from skdeepenc.search.approximate import similar_images
from skdeepenc.search.listing import list_images
from skdeepenc.search.similar import most_similar
from skdeepenc.search.snapshot import Snapshot

__all__ = ["IMAGES_A_PART", "Where", "allowed_rows", "encode_queries", "found_images"]

#: A pattern of names, a function of a name, or a mask over `ImageIndex.images`.
Where: TypeAlias = str | Callable[[str], bool] | Sequence[bool] | NDArray[np.bool_] | None
IMAGES_A_PART = 10_000


def found_images(
    snapshot: Snapshot, encoder: Any, images: Any, n_neighbors: int, where: Where
) -> dict[str, Any]:
    """Find the most similar images to each query.

    Parameters
    ----------
    snapshot : Snapshot
        The index.
    encoder : ImageEncoder
        What turns images into vectors.
    images : object
        The queries; what `encode` takes.
    n_neighbors : int
        How many images to find for each.
    where : str, callable, array-like of bool or None
        Which images may be found.

    Returns
    -------
    dict of str to ndarray
        The columns "query", "rank", "image" and "similarity", a row per result.
    """
    allowed = None if where is None else allowed_rows(snapshot, where)
    names, vectors = encode_queries(encoder, images, snapshot.manifest.n_features)
    if allowed is None:
        similarities, rows = similar_images(snapshot, vectors, n_neighbors)
    else:
        similarities, rows = most_similar(snapshot, vectors, n_neighbors, allowed)
    n_found = rows.shape[1]
    return {
        "query": np.repeat(np.array(names), n_found),
        "rank": np.tile(np.arange(1, n_found + 1), len(names)),
        "image": snapshot.names[rows.ravel()],
        "similarity": similarities.ravel(),
    }


def encode_queries(
    encoder: Any, images: Any, n_features: int
) -> tuple[list[Any], NDArray[np.float32]]:
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


def allowed_rows(snapshot: Snapshot, where: Where) -> NDArray[np.bool_]:
    """Return which rows of an index may be found.

    Parameters
    ----------
    snapshot : Snapshot
        The index.
    where : str, callable or array-like of bool
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
