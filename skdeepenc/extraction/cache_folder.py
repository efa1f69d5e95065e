"""A cache folder that is kept small, in the place of its path."""

import os
import warnings
from dataclasses import dataclass

from skdeepenc._typing import PathLike
from skdeepenc.exceptions import CacheWarning, StorageError
from skdeepenc.extraction._leases import in_use_since
from skdeepenc.extraction.cache import NOTED_SECONDS
from skdeepenc.extraction.housekeeping import parse_size, remove_unused

__all__ = ["CacheFolder"]


@dataclass(frozen=True)
class CacheFolder(os.PathLike[str]):
    """A folder for `ActivationExtractor(memory=...)` with bounds on its size and age.

    After each run of an extractor that has written something, the entries used least recently are
    removed until the folder is within its bounds. What a run or maps that are still alive may use
    is never removed, in this process or another: everything since the oldest of them began, and ten
    minutes before. So the folder can be larger than `limit` by what is in use.

    Parameters
    ----------
    path : path-like
        The folder.
    limit : int, float or str, default=None
        Most bytes to keep, such as ``"50 GB"``, of all recipes together. None for any.
    max_age : float, default=None
        Days after which an unused entry goes. None forever.

    See Also
    --------
    clean_cache : The same at once, and without sparing what is in use.

    Examples
    --------
    >>> from skdeepenc.extraction import ActivationExtractor, CacheFolder
    >>> extractor = ActivationExtractor(memory=CacheFolder("cache", limit="50 GB", max_age=30))
    """

    path: PathLike
    limit: int | float | str | None = None
    max_age: float | None = None

    def __post_init__(self) -> None:
        """Keep the path as text, which pickles on every system; refuse what is not a size."""
        object.__setattr__(self, "path", os.fspath(self.path))
        if self.limit is not None:
            parse_size(self.limit)

    def __fspath__(self) -> str:
        """Return the folder's path."""
        return os.fspath(self.path)


def keep_within_bounds(memory, folder):
    """Remove what a cache folder holds too much, after a run.

    Parameters
    ----------
    memory : path-like
        What the extractor was given; only a `CacheFolder` has bounds.
    folder : path-like
        Where it is.
    """
    if not isinstance(memory, CacheFolder):
        return
    spared = in_use_since(folder) - NOTED_SECONDS
    try:
        remove_unused(folder, limit=memory.limit, max_age=memory.max_age, spared_since=spared)
    except StorageError as error:  # not a reason to lose a run
        warnings.warn(f"{folder} stays larger than asked for: {error}", CacheWarning, stacklevel=5)
