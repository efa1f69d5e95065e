"""What `ActivationExtractor` accepts as images, and how one image is told from another."""

import hashlib
import os
import time
from pathlib import Path

import numpy as np
from PIL import Image

from skdeepenc.images.decode import load_picture, read_source

# A file that changed a moment ago may change again within one tick of its time stamp.
SETTLED_SECONDS = 2.0
# Some hundred bytes each; forgetting them costs no more than hashing again.
MOST_DIGESTS = 200_000
_DIGESTS: dict[tuple, str] = {}


def as_sources(X):
    """Return images as a list of paths, bytes, arrays and opened pictures.

    Parameters
    ----------
    X : array-like or sequence
        Paths (a list, an array, one column of a table), contents of files, opened pictures, arrays
        of pixels, or one array of shape (n, H, W) or (n, H, W, channels).

    Returns
    -------
    list
        One source an image.

    Raises
    ------
    ValueError
        If it is a single image, rows of numbers, or empty.
    """
    if isinstance(X, str | bytes | os.PathLike | Image.Image):
        raise ValueError(f"X is a single image, not a list of images: give [{_short(X)}].")
    if hasattr(X, "iloc"):  # a column or a table of pandas
        X = np.asarray(X)
    if isinstance(X, np.ndarray):
        X = _check_array(X)
    sources = list(X)
    if not sources:
        raise ValueError("Found no images: X has 0 samples, while a minimum of 1 is required.")
    return sources


def content_digest(content):
    """Return the SHA-256 of the content of a file, of pixels, or of an opened picture."""
    if isinstance(content, bytes | bytearray | memoryview):
        return hashlib.sha256(content).hexdigest()
    if not isinstance(content, np.ndarray) or content.dtype.kind not in "biuf":
        content = np.asarray(load_picture(content))  # or says why it is no picture
    digest = hashlib.sha256(f"{content.dtype.str} {content.shape} ".encode())
    digest.update(content.tobytes())
    return digest.hexdigest()


def known_digest(source):
    """Return the digest of a file that was hashed before and has not changed since, or None."""
    stamp = _stamp(source)
    return None if stamp is None else _DIGESTS.get(stamp)


def read_and_digest(source):
    """Return the content of a source and its digest, and remember that of a file."""
    stamp = _stamp(source)
    content = read_source(source)
    digest = content_digest(content)
    if len(_DIGESTS) >= MOST_DIGESTS:
        _DIGESTS.clear()
    if stamp is not None and stamp == _stamp(source):
        _DIGESTS[stamp] = digest
    return content, digest


def _stamp(source):
    """Return what changes when a file does; None if it is no file or has changed just now."""
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
        return X.ravel() if X.ndim == 2 and X.shape[1] == 1 else X
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
