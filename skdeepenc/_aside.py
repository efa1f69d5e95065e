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
def written_aside(path: Path) -> Iterator[Path]:
    """Yield a folder whose content goes beside or over `path` if nothing is raised.

    Parameters
    ----------
    path : Path
        The file or folder to be; what has its name in the folder comes last, so that where it is,
        all that belongs to it is.

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
        for part in sorted(Path(folder).iterdir(), key=lambda part: part.name == path.name):
            os.replace(part, path.with_name(part.name))
