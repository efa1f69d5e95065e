"""The beginning of an index: its encoder and no images, or the vectors of shards."""

from pathlib import Path
from typing import Any

import numpy as np

from skdeepenc._aside import written_aside
from skdeepenc._optional import require
from skdeepenc.exceptions import StorageError
from skdeepenc.functional.normalize import unit_rows
from skdeepenc.search.index_writer import IndexWriter, locked
from skdeepenc.search.manifest import MANIFEST, Manifest
from skdeepenc.search.shards import Shards
from skdeepenc.search.vector_part import keep_encoder

__all__ = ["add_shards", "begin_index"]


def begin_index(folder: Path, encoder: Any, *, expected: str | None = None) -> None:
    """Write an index that has an encoder and no images.

    Parameters
    ----------
    folder : Path
        The folder to make, or an empty one.
    encoder : estimator or path-like
        Fitted.
    expected : str, default=None
        Which encoder it has to be, as `open_encoder` says it.

    Raises
    ------
    StorageError
        If there is an index, the encoder is another one, or the folder cannot be written to.
    MissingDependencyError
        If pyarrow is not installed.
    """
    require("pyarrow", extra="search", purpose="An image index")  # before anything is written
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder), written_aside(folder / MANIFEST, durably=True) as aside:
            _refuse_index(folder)
            name, digest = keep_encoder(encoder, aside)
            if expected not in (None, digest):
                raise StorageError("The shards were made by another encoder than the one given.")
            Manifest(name, digest).write(aside / MANIFEST)
    except OSError as error:
        raise StorageError(f"{folder} cannot be written to: {error}") from error


def _refuse_index(folder):
    if (folder / MANIFEST).exists():
        raise StorageError(
            f"{folder} holds an index already: open it and update it, or give another folder."
        )


def add_shards(writer: IndexWriter, shards: Shards) -> None:
    """Commit the vectors of shards, one shard after the other, and list what failed.

    Parameters
    ----------
    writer : IndexWriter
        Of the index.
    shards : Shards
        What `encode` wrote.
    """
    for _, table, vectors in shards:
        columns = table.to_pydict()
        errors = columns.pop("error")
        named = zip(columns["image"], errors, strict=True)
        writer.failures.update((name, error) for name, error in named if error is not None)
        rows = list(zip(*columns.values(), [None] * len(errors), strict=True))
        good = np.array([row for row, error in enumerate(errors) if error is None], dtype=int)
        n_rows = writer.rows_a_segment(vectors.shape[1])
        cuts = [good[first : first + n_rows] for first in range(0, len(good), n_rows)]
        writer.commit([([rows[row] for row in cut], unit_rows(vectors[cut])) for cut in cuts])
    writer.index_neighbors()
