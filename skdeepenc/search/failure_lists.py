"""Lists of images that could not be read, and why, as files that a person opens.

They are text separated by commas: images that are lost silently are what nobody forgives, and who
looks for them has a spreadsheet or `grep` rather than a reader of Parquet.
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from skdeepenc.exceptions import StorageError

__all__ = ["read_failures", "write_failures"]

_COLUMNS = ["image", "error"]


def write_failures(path: Path, failures: Iterable[tuple[str, str]]) -> None:
    """Write a list of failures.

    Parameters
    ----------
    path : Path
        The file.
    failures : iterable of (str, str)
        Names of images, and why they could not be read.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([_COLUMNS, *failures])


def read_failures(content: bytes, path: Path) -> dict[str, str]:
    """Read a list of failures.

    Parameters
    ----------
    content : bytes
        What `write_failures` wrote.
    path : Path
        Where it is, for what is said of damage.

    Returns
    -------
    dict of str to str
        Why images could not be read, by their names.

    Raises
    ------
    StorageError
        If it is no such list.
    """
    try:
        columns, *rows = csv.reader(io.StringIO(content.decode("utf-8"), newline=""), strict=True)
        failures = dict(rows)
    except (ValueError, csv.Error) as error:
        raise StorageError(f"{path} is damaged: {error}") from error
    if columns != _COLUMNS:
        raise StorageError(f"{path} is damaged: it does not begin with {','.join(_COLUMNS)}.")
    return failures
