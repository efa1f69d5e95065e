"""What `ActivationExtractor` accepts as images, and how one image is told from another."""

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from numbers import Number
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from skdeepenc.images.decode import load_image, read_source

# A file that changed a moment ago may change again within one tick of its time stamp.
SETTLED_SECONDS = 2.0
# Some hundred bytes each; forgetting them costs no more than hashing again.
MOST_DIGESTS = 200_000
_DIGESTS: dict[tuple[Any, ...], str] = {}


def as_sources(X):
    """Return images as a list of paths, bytes, arrays and opened images.

    Parameters
    ----------
    X : array-like, sequence or iterator
        Paths (a list, an iterator, an array, one column of a table), contents of files, opened
        images, arrays of pixels, or one array of shape (n, H, W) or (n, H, W, channels). An
        iterator is read to its end.

    Returns
    -------
    list
        One source per image.

    Raises
    ------
    ValueError
        If it is a single image, a folder, rows of numbers, several columns, or empty.
    """
    _refuse_single(X)
    if hasattr(X, "columns") and hasattr(X, "shape"):  # a table of pandas, polars or pyarrow
        X = _only_column(X)
    is_iterator = isinstance(X, Iterator)
    sources = list(_check_array(X) if isinstance(X, np.ndarray) else X)
    if not sources:
        used_up = "; X is an iterator with nothing left to give, read it once with list(X)"
        raise ValueError(
            "Found no images: X has 0 samples, while a minimum of 1 is required"
            f"{used_up if is_iterator else ''}."
        )
    if isinstance(sources[0], Number):
        raise ValueError(f"X holds numbers such as {_short(sources[0])}, not images or paths.")
    return sources


def _refuse_single(X):
    """Refuse what is one image, or a folder of them."""
    if isinstance(X, Mapping):
        raise ValueError(f"X is a {type(X).__name__}, not a list of images: give list(X.values()).")
    if not isinstance(X, str | bytes | bytearray | memoryview | os.PathLike | Image.Image):
        return
    if isinstance(X, str | os.PathLike) and os.path.isdir(X):
        folder = os.fspath(X)
        raise ValueError(
            f"X is a folder, not a list of images: give sorted(pathlib.Path({folder!r})"
            '.rglob("*.jpg")), or the paths that skdeepenc.datasets.load_image_folder finds.'
        )
    raise ValueError(f"X is a single image, not a list of images: give [{_short(X)}].")


def _only_column(table):
    """Return the only column of a table."""
    names = list(getattr(table, "column_names", table.columns))
    if len(names) != 1:
        raise ValueError(
            f"X is a table of {len(names)} columns ({', '.join(map(str, names[:5]))}): give the "
            "one that holds the images, such as X[name]."
        )
    return table[names[0]]


def row_labels(X):
    """Return the index of a table or column of pandas, None of anything else."""
    return X.index if hasattr(X, "iloc") else None  # lists have an `index` too


def content_digest(content):
    """Return the SHA-256 of the content of a file, of pixels, or of an opened image."""
    if isinstance(content, bytes | bytearray | memoryview):
        return hashlib.sha256(content).hexdigest()
    if not isinstance(content, np.ndarray) or content.dtype.kind not in "biuf":
        content = np.asarray(load_image(content))  # or says why it is not an image
    digest = hashlib.sha256(f"{content.dtype.str} {content.shape} ".encode())
    digest.update(content.tobytes())
    return digest.hexdigest()


def known_digest(source):
    """Return the digest of a file that was hashed before and has not changed since, or None."""
    stamp = file_stamp(source)
    return None if stamp is None else _DIGESTS.get(stamp)


def read_and_digest(source):
    """Return the content of a source and its digest, and remember that of a file."""
    stamp = file_stamp(source)
    content = read_source(source)
    digest = content_digest(content)
    if len(_DIGESTS) >= MOST_DIGESTS:
        _DIGESTS.clear()
    if stamp is not None and stamp == file_stamp(source):
        _DIGESTS[stamp] = digest
    return content, digest


def file_stamp(source):
    """Return what changes when a file does; None if it is not a file or has changed just now.

    Parameters
    ----------
    source : object
        A path, or anything else.

    Returns
    -------
    tuple or None
        Path, device, inode, size, and the times of modification and change in nanoseconds.
    """
    if not isinstance(source, str | os.PathLike):
        return None
    try:
        status = Path(source).stat()
    except (OSError, ValueError):
        return None
    if time.time() - max(status.st_mtime, status.st_ctime) < SETTLED_SECONDS:
        return None
    # The change time cannot be set back, unlike the modification time.
    times = status.st_mtime_ns, status.st_ctime_ns
    return os.path.abspath(source), status.st_dev, status.st_ino, status.st_size, *times


def _check_array(X):
    """Return an array of images or paths; refuse what holds one image or none."""
    if X.dtype.kind in "OUST":
        if X.ndim == 0 or X.size != X.shape[0]:
            raise ValueError(
                f"X of shape {X.shape} is not a list of images: give one of its columns."
            )
        return X.ravel()
    if X.ndim == 3 and X.shape[2] in (3, 4):
        raise ValueError(f"X of shape {X.shape} is a single image: give [X].")
    if X.ndim < 3:
        raise ValueError(
            f"X of shape {X.shape} holds rows of numbers, not images. Give a list of paths or of "
            "arrays of pixels; a single grey image goes into a list: [X]."
        )
    return X


def _short(source):
    text = repr(source)
    return text if len(text) < 60 else f"{text[:56]}..."
