"""Which images there are, and which shard each of them goes to.

Every worker lists the images for itself and comes to the same parts, so nobody has to hand them
out. What is hashed is the list (names, sizes of archives), not what the files hold.
"""

import hashlib
import os
import re
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from skdeepenc.datasets.folders import walk_images
from skdeepenc.exceptions import DataSetError
from skdeepenc.extraction.sources import as_sources, content_digest
from skdeepenc.search.archives import Rows, Tar, count_rows
from skdeepenc.search.images import EncodedImage, image_endings
from skdeepenc.search.storage import is_url, store_of

__all__ = ["Listing", "list_images", "parts_of", "sources_of"]

_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_WHOLE = 1 << 62
_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")


@dataclass(frozen=True)
class Files:
    """A part of a list of images.

    Parameters
    ----------
    sources : list
        Paths, URLs, contents of files, opened images or arrays.
    start : int
        Position of the first one in the whole list.
    """

    sources: list[Any]
    start: int

    @property
    def n_images(self):
        """How many images the part has."""
        return len(self.sources)

    @property
    def lines(self):
        """What stands for it in the list that is hashed."""
        return [image.name if image.is_named else content_digest(image.source) for image in self]

    def __iter__(self):
        """Yield the images."""
        for position, source in enumerate(self.sources, self.start):
            yield EncodedImage(_name_of(source, position), source)


@dataclass(frozen=True)
class Listing:
    """All images, in the parts that become shards.

    Attributes
    ----------
    parts : list of Files, Tar or Rows
        Iterating over one gives its images; `n_images` is None where only reading tells.
    digest : str
        Changes when the list does.
    """

    parts: list[Any]
    digest: str

    def n_images(self, numbers=None):
        """Count the images of all parts or of some; None where only reading tells."""
        parts = self.parts if numbers is None else [self.parts[number] for number in numbers]
        sizes = [part.n_images for part in parts]
        return None if None in sizes else sum(sizes)


def list_images(images, shard_size):
    """List images, and cut the list into parts.

    Parameters
    ----------
    images : object
        What `encode` takes.
    shard_size : int
        Most images of a part; a tar archive is one part whatever it holds.

    Returns
    -------
    Listing
        The parts.

    Raises
    ------
    DataSetError
        If there are no images, or a file is not there.
    """
    parts, start = [], 0
    for kind, group in groupby(sources_of(images), _kind_of):
        for part in _PARTS[kind](list(group), shard_size, start):
            parts.append(part)
            start += part.n_images or 0
    digest = hashlib.sha256()
    for part in parts:
        for line in part.lines:
            digest.update(f"{line}\n".encode("utf-8", "surrogateescape"))
    return Listing(parts, digest.hexdigest())


def parts_of(source):
    """Return what one source has: itself, or the parts of an archive."""
    return _PARTS[_kind_of(source)]([source], _WHOLE, 0)


def sources_of(images):
    """Return a list of paths, URLs, contents, opened images, arrays and archives.

    Parameters
    ----------
    images : object
        What `encode` takes.

    Returns
    -------
    list
        What it stands for; archives are not opened.
    """
    if not isinstance(images, str | os.PathLike):
        return as_sources(images)
    path = os.fspath(images)
    if path.lower().endswith(".txt"):
        return _lines_of(path)
    if _BRACES.search(path):
        return list(_expanded(path))
    store, inside = store_of(path)
    if "*" in path:
        found = [_named_like(path, store, match) for match in sorted(store.glob(inside))]
    elif store.isdir(inside):
        found = _folder_of(path, store, inside)
    else:
        found = [path] if store.exists(inside) else []
    if not found:
        raise DataSetError(f"There are no images, tar archives or Parquet files in {path}.")
    return found


def _lines_of(path):
    """Read a listing; its paths are taken as they stand there."""
    store, inside = store_of(path)
    try:
        text = store.cat_file(inside).decode("utf-8", "surrogateescape")
    except OSError as error:
        raise DataSetError(f"The listing {path} cannot be read: {error}") from error
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise DataSetError(f"The listing {path} is empty; expected is one path or URL per line.")
    return lines


def _expanded(path):
    """Yield what the first braces stand for, as in ``images-{000..119}.tar``."""
    match = _BRACES.search(path)
    if match is None:
        yield path
        return
    first, last = match.groups()
    for number in range(int(first), int(last) + 1):
        yield from _expanded(f"{path[: match.start()]}{number:0{len(first)}d}{path[match.end() :]}")


def _folder_of(path, store, inside):
    """List the images of a folder at any depth; where there are none, its archives."""
    for wanted in (image_endings(), {".tar", ".gz", ".tgz", ".bz2", ".xz", ".parquet"}):
        if not is_url(path):
            found = walk_images(path, wanted)
        else:
            found = [
                _named_like(path, store, match)
                for match in sorted(store.find(inside))
                if os.path.splitext(match)[1].lower() in wanted and "/." not in match
            ]
        if found:
            return found
    return []


def _named_like(path, store, match):
    """Return a file's name as others open it: with the protocol that its folder was given by."""
    return store.unstrip_protocol(match) if is_url(path) else match


def _kind_of(source):
    """Return what a source is: "files", "tar" or "parquet"."""
    if isinstance(source, str | os.PathLike):
        name = os.fspath(source).lower()
        if name.endswith(".parquet"):
            return "parquet"
        if name.endswith(_TARS):
            return "tar"
    return "files"


def _file_parts(sources, shard_size, start):
    for first in range(0, len(sources), shard_size):
        yield Files(sources[first : first + shard_size], start + first)


def _tar_parts(paths, shard_size, start):
    return map(Tar.at, map(os.fspath, paths))


def _row_parts(paths, shard_size, start):
    for path in map(os.fspath, paths):
        n_rows = count_rows(path)
        for first in range(0, n_rows, shard_size):
            yield Rows(path, first, min(first + shard_size, n_rows))


_PARTS: dict[str, Any] = {"files": _file_parts, "tar": _tar_parts, "parquet": _row_parts}


def _name_of(source, position):
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    if isinstance(source, np.str_):
        return str(source)
    return f"image {position}"
