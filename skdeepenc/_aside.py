"""Write files aside, and put them into their place when they are whole.

Whoever opens the place meets what was there before or what is there now, never half of it. Files
are written in a folder of their own beside the place, so that they get the permissions that new
files get, and moving them copies nothing.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["written_aside"]


@contextmanager
def written_aside(path: Path, *, durably: bool = False) -> Iterator[Path]:
    """Yield a folder whose content goes beside or over `path` if nothing is raised.

    Parameters
    ----------
    path : Path
        The file or folder to be; what has its name in the folder comes last, so that where it is,
        all that belongs to it is.
    durably : bool, default=False
        Whether that order, and what is in the files, also outlasts a power cut. It takes some
        milliseconds, in which the disk writes.

    Yields
    ------
    Path
        An empty folder beside `path`.

    Raises
    ------
    OSError
        If the folder cannot be made, something cannot be moved to its place, or what is there is a
        device, a pipe or a socket, which nobody means to replace.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(f"{path} is neither a file nor a folder, and stays what it is")
    with tempfile.TemporaryDirectory(
        prefix=f".{path.name}.", dir=path.parent, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)
        parts = sorted(Path(folder).iterdir(), key=lambda part: part.name == path.name)
        if durably:
            _sync(*parts)
        for part in parts:
            if durably and part.name == path.name:
                _sync(path.parent)  # its companions have their names before it
            os.replace(part, path.with_name(part.name))
        if durably:
            _sync(path.parent)


def _sync(*paths: Path) -> None:
    """Wait until files, or the names in folders, are on the disk."""
    for path in paths:
        if path.is_dir() and os.name == "nt":
            continue  # Windows opens no folders
        descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
