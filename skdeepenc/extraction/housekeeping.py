"""Say how large a cache is, and keep it small on request.

Nothing is removed by itself: maps that somebody still looks at are views of these files. Entries
used least recently go first; an entry's use is noted every ten minutes.
"""

import contextlib
import json
import re
import time
from pathlib import Path
from typing import NamedTuple

from skdeepenc._typing import PathLike
from skdeepenc.exceptions import StorageError
from skdeepenc.extraction.cache import DESCRIPTION

_UNITS = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)b?", re.IGNORECASE)
_DAY = 86_400


class CachedRecipe(NamedTuple):
    """What a cache holds of one recipe.

    Attributes
    ----------
    folder : Path
        Where it lies.
    layers : tuple of str
        The layers that were kept.
    n_entries : int
        Number of images, and of projections.
    n_bytes : int
        Their size.
    last_used : float
        When one of them was last used, in seconds since 1970 and true to ten minutes.
    """

    folder: Path
    layers: tuple[str, ...]
    n_entries: int
    n_bytes: int
    last_used: float


def cache_info(memory: PathLike) -> list[CachedRecipe]:
    """List what a cache folder holds.

    Parameters
    ----------
    memory : path-like
        The folder given to `ActivationExtractor` as `memory`.

    Returns
    -------
    list of CachedRecipe
        One for each way in which images were extracted, the largest first.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skdeepenc.extraction import ActivationExtractor, cache_info
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     extractor = ActivationExtractor(layers="fc7", memory=folder)
    ...     _ = extractor.fit_transform([np.zeros((32, 32, 3))])
    ...     [(recipe.layers, recipe.n_entries) for recipe in cache_info(folder)]
    [(('fc7',), 1)]
    """
    recipes = [_describe(folder) for folder in _recipe_folders(memory)]
    return sorted(recipes, key=lambda recipe: -recipe.n_bytes)


def clean_cache(
    memory: PathLike, *, limit: int | str | None = None, max_age: float | None = None
) -> int:
    """Remove what a cache folder holds too much, and what was not used for long.

    Maps that are views of removed entries say so when they are read; extracting again makes them
    again. Folders without a recipe of ours are left alone.

    Parameters
    ----------
    memory : path-like
        The folder given to `ActivationExtractor` as `memory`.
    limit : int, float or str, default=None
        Most bytes to keep, such as ``"50 GB"``; those used least recently go first. None for any.
    max_age : float, default=None
        Days after which an unused entry goes. None forever.

    Returns
    -------
    int
        Bytes that were removed.

    Raises
    ------
    StorageError
        If an entry cannot be removed.

    Examples
    --------
    >>> import tempfile
    >>> from skdeepenc.extraction import clean_cache
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     clean_cache(folder, limit="50 GB", max_age=30)
    0
    """
    return remove_unused(memory, limit=limit, max_age=max_age)


def remove_unused(memory, *, limit, max_age, spared_since=float("inf")):
    """Do what `clean_cache` does, and spare what was used since a time."""
    most = float("inf") if limit is None else parse_size(limit)
    oldest = float("-inf") if max_age is None else time.time() - max_age * _DAY
    entries = [entry for folder in _recipe_folders(memory) for entry in _entries(folder)]
    kept, removed = 0, 0
    for used, n_bytes, path in sorted(entries, reverse=True):
        if used >= spared_since or (used >= oldest and kept + n_bytes <= most):
            kept += n_bytes
            continue
        most = kept  # what is older still goes, too
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"{path} cannot be removed ({error.strerror}).") from error
        removed += n_bytes
    return removed


def parse_size(size):
    """Return a number of bytes from a number, or from text such as "50 GB".

    Parameters
    ----------
    size : int, float or str
        The size; units are powers of 1,000.

    Returns
    -------
    float
        Bytes.
    """
    match = _SIZE.fullmatch(str(size).strip())
    if match is None:
        raise ValueError(f"{size!r} is not a size: give bytes, or text such as '50 GB'.")
    return float(match[1]) * _UNITS[match[2].lower()]


def _recipe_folders(memory):
    return [path.parent for path in Path(memory).glob(f"*/{DESCRIPTION}")]


def _entries(folder):
    """Return use, size and path of every entry of a recipe."""
    entries = []
    for path in [*folder.glob("[0-9a-f][0-9a-f]/*.npz"), *folder.glob("projections/*.npz")]:
        with contextlib.suppress(OSError):  # removed meanwhile
            status = path.stat()
            entries.append((status.st_mtime, status.st_size, path))
    return entries


def _describe(folder):
    entries = _entries(folder)
    try:
        layers = tuple(json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))["layers"])
    # It is for people, who may have edited it.
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        layers = ()
    used, sizes, _ = zip(*entries, strict=True) if entries else ((0.0,), (), ())
    return CachedRecipe(folder, layers, len(entries), sum(sizes), max(used))
