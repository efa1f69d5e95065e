"""The folder of a site: replaced as a whole, and only if all that is in it is a site's."""

import json
import os
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from skdeepenc.exceptions import StorageError

__all__ = ["SITE", "WHAT", "refuse_others", "replaced"]

#: The file that says that a folder is a site, and how it says so.
SITE, WHAT = "site.json", "skdeepenc site"


def refuse_others(folder: Path, names: Collection[str]) -> None:
    """Refuse a folder that is not a site, or has files of somebody else as well.

    Parameters
    ----------
    folder : Path
        The folder, if it is there.
    names : collection of str
        What a site has.

    Raises
    ------
    StorageError
        If something in it is not one of these.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise StorageError(f"{folder} is a file: name a folder.")
    found = sorted(path.name for path in folder.iterdir())
    strange = [name for name in found if name not in names]
    if found and (strange or not _is_site(folder)):
        raise StorageError(
            f"{folder} holds what is not of a site, such as {(strange or found)[0]}: name another "
            "folder, and copy the site from there."
        )


def _is_site(folder):
    try:
        return json.loads((folder / SITE).read_bytes())["what"] == WHAT
    except (OSError, ValueError, KeyError, TypeError):
        return False


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of another one if nothing is raised.

    Raises
    ------
    StorageError
        If it cannot be written. The other one is then as it was.
    """
    try:
        with tempfile.TemporaryDirectory(
            prefix=f".{folder.name}.", dir=folder.absolute().parent, ignore_cleanup_errors=True
        ) as aside:
            new, old = Path(aside, "new"), Path(aside, "old")
            new.mkdir()
            yield new
            _exchange(folder, new, old)
    except OSError as error:
        raise StorageError(f"{folder} cannot be written: {error}. It is as it was.") from error


def _exchange(folder, new, old):
    """Move a folder away and another one to its place, or leave both where they are."""
    if folder.exists():
        os.replace(folder, old)
    try:
        os.replace(new, folder)
    except OSError:
        if old.exists():
            os.replace(old, folder)
        raise
