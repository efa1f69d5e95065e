"""Read the content of a file, whatever lies at its path.

Folders of images hold named pipes, sockets and endless files by accident or by malice. A pipe that
is opened waits for a writer forever, and a device never ends: both are told by what the system
says of the path, before a byte is read.
"""

import os
import stat

from skdeepenc.exceptions import ImageError

#: No image worth decoding is larger; sparse files and archives are.
LARGEST_FILE = 1 << 29
_KINDS = {
    stat.S_IFDIR: "a folder, not a file",
    stat.S_IFIFO: "a named pipe, not a file",
    stat.S_IFSOCK: "a socket, not a file",
    stat.S_IFCHR: "a device, not a file",
    stat.S_IFBLK: "a device, not a file",
}


def read_file(path):
    """Return the content of a regular file of bounded size.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    bytes
        What it holds.

    Raises
    ------
    ImageError
        If there is no such file, if it is something else, or if it is too large.
    """
    try:
        _check(os.stat(path))  # devices do things when they are opened
        with open(path, "rb", opener=_open_at_once) as file:
            _check(os.fstat(file.fileno()))
            return file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise ImageError("there is no such file") from None
    except (OSError, ValueError) as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(f"the file cannot be read ({error})") from error


def _open_at_once(path, flags):
    """Open without waiting: what was a file a moment ago may have become a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _check(status):
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        raise ImageError(f"this is {_KINDS.get(kind, 'not a regular file')}")
    if status.st_size > LARGEST_FILE:
        raise ImageError(
            f"the file has {status.st_size / 2**30:.1f} GiB, more than the "
            f"{LARGEST_FILE / 2**30:g} GiB that one image may have"
        )
