"""Read and write one file of a cache: whole or not at all, and knowing whose it is.

An entry is a plain uncompressed ``.npz``. Its comment says whose maps it holds, so that the file of
another image in its place is found out; sizes are compared before anything is allocated, checksums
when values are read. What is proven to be damaged is told apart from what cannot be read just now:
a process without free descriptors must not wipe a good cache.
"""

import contextlib
import encodings.cp437  # noqa: F401 (zipfile's first use would import it, maybe amid a fork)
import errno
import os
import struct
import uuid
import zipfile
from pathlib import Path

import numpy as np

from skdeepenc.arrays.files import read_array
from skdeepenc.exceptions import StorageError

# What a damaged archive makes the system say: seeking to nowhere.
_ERRORS_OF_DAMAGE = (None, errno.EINVAL)
# What takes a damaged archive apart raises these: its directory, its flags (encrypted, patched),
# names of members, and values that make no sense.
_DAMAGE = (
    *(zipfile.BadZipFile, RuntimeError, LookupError, EOFError, ValueError, OverflowError),
    struct.error,
)


class DamagedEntryError(StorageError):
    """An entry is proven not to be what was written.

    Parameters
    ----------
    path : Path
        The entry.
    reason : str
        What is wrong with it.
    stamp : tuple
        Which file it was.
    """

    def __init__(self, path, reason, stamp):
        super().__init__(f"{path} is damaged ({reason})")
        self._path = path
        self._stamp = stamp

    def remove(self):
        """Remove the entry, unless another process has replaced it meanwhile."""
        with contextlib.suppress(OSError):
            if _stamp(self._path.stat()) == self._stamp:
                self._path.unlink()


class Entry:
    """An entry that is open for reading; a context.

    Parameters
    ----------
    path : Path
        The file.
    owner : str
        Whose entry it should be.

    Raises
    ------
    DamagedEntryError
        If it is damaged, or another's.
    StorageError
        If it cannot be read now.
    FileNotFoundError
        If there is none.
    """

    def __init__(self, path, owner):
        self._path = path
        with contextlib.ExitStack() as stack, self._explained():
            file = stack.enter_context(path.open("rb"))
            self._stamp = _stamp(os.fstat(file.fileno()))
            self._archive = stack.enter_context(zipfile.ZipFile(file))
            if self._archive.comment != owner.encode():
                raise ValueError(f"it is not the entry of {owner}")
            self._files = stack.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._files.close()

    def size(self, key):
        """Return the size of an array's file, with its header."""
        with self._explained():
            return self._info(key).file_size

    def array(self, key):
        """Return a whole array, whose checksum is compared."""
        with self._explained():
            info = self._info(key)
            with self._archive.open(info) as file:
                return read_array(file, info.file_size)

    def _info(self, key):
        """Return what the archive says of an array; nothing in it is ever unpacked."""
        info = self._archive.getinfo(_member(key))
        if info.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{key} is compressed")
        return info

    @contextlib.contextmanager
    def _explained(self):
        """Tell damage from what cannot be read now; whatever else happens is not the file's."""
        try:
            yield
        except (FileNotFoundError, StorageError, RecursionError):
            raise
        except (OSError, *_DAMAGE) as error:
            if isinstance(error, OSError) and error.errno not in _ERRORS_OF_DAMAGE:
                raise StorageError(
                    f"{self._path} cannot be read now ({error.strerror}); it is left as it is."
                ) from error
            raise DamagedEntryError(self._path, error, self._stamp) from error


def entry_path(folder, digest):
    """Return where the entry of an image lies: at most some thousands of files per folder."""
    return Path(folder) / digest[:2] / f"{digest}.npz"


def entry_owner(folder, digest):
    """Return what the entry of an image says of itself: its recipe, and its image."""
    return f"{Path(folder).name} {digest}"


def write_entry(path, owner, arrays, aside):
    """Write an entry aside and move it to its place.

    Parameters
    ----------
    path : Path
        Where it belongs.
    owner : str
        Whose it is.
    arrays : dict of str to ndarray
        What it holds.
    aside : Path
        The folder to write it in.

    Raises
    ------
    StorageError
        If there is no room, or no permission.
    """
    temporary = aside / f"{path.stem}.{uuid.uuid4().hex}"
    try:
        aside.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            _write_archive(file, owner, arrays)
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            reason = error.strerror or error
            raise StorageError(
                f"The cache {path.parent.parent} cannot be written ({reason}). What it holds is "
                "whole: make room, or give another folder as memory, and call again."
            ) from error
        raise


def _write_archive(file, owner, arrays):
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for key, array in arrays.items():
            with archive.open(_member(key), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
        archive.comment = owner.encode()


def _stamp(status):
    """Return what tells a file from another that took its place."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _member(key):
    return f"{key}.npy"
