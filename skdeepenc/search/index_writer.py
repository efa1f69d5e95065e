"""Change an index: new files beside the old ones, and then one manifest in the place of another.

Whatever happens on the way, a full disk or a kill, the old manifest stands and all that it names is
there. One process writes at a time; a lock of the operating system says so, which ends with the
process that holds it.
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from skdeepenc._aside import written_aside
from skdeepenc._optional import require
from skdeepenc.arrays.files import write_array
from skdeepenc.exceptions import StorageError
from skdeepenc.search.approximate import are_wanted, build_neighbors
from skdeepenc.search.failure_lists import write_failures
from skdeepenc.search.manifest import MANIFEST, Manifest, Segment, is_ours, read_manifest
from skdeepenc.search.snapshot import IMAGE_COLUMNS, Snapshot

__all__ = ["IndexWriter", "Part", "locked"]

_LOCK = "lock"
#: Rows of a segment, if they are not too long.
ROWS_A_SEGMENT = 10_000
_BYTES_A_SEGMENT = 1 << 28
# What a search pays for many small segments and removed rows is little, but not nothing.
_MOST_SMALL_SEGMENTS = 8
_MOST_REMOVED = 0.25

#: Rows of the table, in the order of `IMAGE_COLUMNS`, and their vectors of unit length.
Part = tuple[Sequence[tuple[Any, ...]], np.ndarray]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep all others from changing an index meanwhile.

    Parameters
    ----------
    folder : Path
        The index.

    Raises
    ------
    StorageError
        If somebody else is changing it, or the folder cannot be written to.
    """
    filelock = require("filelock", extra="search", purpose="Changing an image index")
    lock = filelock.FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise StorageError(
            f"The index {folder} is being changed by another process: try again when that is "
            "done. Searching goes on meanwhile."
        ) from None
    except OSError as error:
        raise StorageError(f"The index {folder} cannot be written to: {error}") from error
    try:
        yield
    finally:
        lock.release()


class IndexWriter:
    """Changes an index that is locked; what is committed stays, whatever comes later.

    Parameters
    ----------
    folder : Path
        The index, with a manifest.

    Attributes
    ----------
    snapshot : Snapshot
        The state before any change.
    failures : dict of str to str
        Why images could not be read, by their names; written with the next commit.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.snapshot = Snapshot(folder)
        self._manifest: Manifest = self.snapshot.manifest
        self._is_kept = self.snapshot.is_kept.copy()
        self._n_kept = np.count_nonzero(self._is_kept)
        self.failures: dict[str, str] = dict(self.snapshot.failures)
        self._known_failures = dict(self.failures)

    def remove(self, rows: Iterable[int]) -> None:
        """Let rows of the state before any change count no more, from the next commit on."""
        self._is_kept[list(rows)] = False

    def rows_a_segment(self, n_features: int) -> int:
        """Return how many rows of a length are worth a segment."""
        return max(1, min(ROWS_A_SEGMENT, _BYTES_A_SEGMENT // (2 * max(n_features, 1))))

    def commit(self, parts: Sequence[Part] = ()) -> None:
        """Put a new state in the place of the old one, if anything changed.

        Parameters
        ----------
        parts : sequence of (rows, vectors), default=()
            New segments.

        Raises
        ------
        StorageError
            If the files cannot be written. The index is then as it was.
        """
        is_shorter = np.count_nonzero(self._is_kept) < self._n_kept
        if not parts and not is_shorter and self.failures == self._known_failures:
            return
        with self._new_state() as (folder, state):
            known = self._with_removals(folder, state.generation)
            added = [
                _write_segment(folder, f"{state.generation:08d}-{number}", *part)
                for number, part in enumerate(parts)
            ]
            state = replace(state, segments=(*known, *added), **_width_of(folder, added))
            self._finish(folder, state)
        self._n_kept = np.count_nonzero(self._is_kept)

    def compact(self) -> None:
        """Write small segments, and those with many removed rows, into few whole ones."""
        snapshot = Snapshot(self._folder)
        whole: list[int] = []
        scattered: list[int] = []
        for number, segment in enumerate(snapshot.manifest.segments):
            (scattered if self._is_scattered(segment) else whole).append(number)
        is_worn = any(
            segment.n_removed > _MOST_REMOVED * segment.n_rows
            for segment in snapshot.manifest.segments
        )
        if len(scattered) <= _MOST_SMALL_SEGMENTS and not is_worn:
            return
        with self._new_state() as (folder, state):
            added = [
                _write_segment(folder, f"{state.generation:08d}-{number}", *part)
                for number, part in enumerate(self._merged(snapshot, scattered))
            ]
            kept = [snapshot.manifest.segments[number] for number in whole]
            state = replace(state, segments=(*kept, *added))
            if state.neighbors and snapshot.starts[scattered[0]] < state.neighbors.n_rows:
                state = replace(state, neighbors=None)  # its rows moved
            self._finish(folder, state)

    def index_neighbors(self) -> None:
        """Make the approximate index of a large index, where there is none or it knows too few."""
        snapshot = Snapshot(self._folder)
        if not are_wanted(snapshot):
            return
        with self._new_state() as (folder, state):
            neighbors = build_neighbors(
                snapshot, folder / f"neighbors-{state.generation:08d}.faiss"
            )
            self._finish(folder, replace(state, neighbors=neighbors))

    def _is_scattered(self, segment):
        is_small = 2 * segment.n_rows < self.rows_a_segment(self._manifest.n_features)
        return is_small or segment.n_removed > _MOST_REMOVED * segment.n_rows

    def _merged(self, snapshot, numbers):
        """Yield the rows that count of some segments, as parts of full size."""
        starts = snapshot.starts
        rows = np.concatenate([np.arange(starts[n], starts[n + 1]) for n in numbers])
        rows = rows[snapshot.is_kept[rows]]
        n_rows = self.rows_a_segment(snapshot.manifest.n_features)
        for first in range(0, len(rows), n_rows):
            chosen = rows[first : first + n_rows]
            table = snapshot.table.take(chosen)
            columns = (table[name].to_pylist() for name in IMAGE_COLUMNS)
            yield list(zip(*columns, strict=True)), snapshot.take(chosen)

    @contextmanager
    def _new_state(self):
        """Yield a folder to write to and the state to come; move all into place at the end."""
        state = replace(self._manifest, generation=self._manifest.generation + 1)
        try:
            with written_aside(self._folder / MANIFEST, durably=True) as folder:
                yield folder, state
        except OSError as error:
            raise StorageError(
                f"The index {self._folder} cannot be written to: {error}. It is as it was before."
            ) from error
        self._manifest, self._known_failures = read_manifest(self._folder), dict(self.failures)
        _clear(self._folder, self._manifest)

    def _with_removals(self, folder, generation):
        """Return the segments of before, with what was removed since."""
        starts, kept = self.snapshot.starts, []
        n_known = len(starts) - 1
        for number, segment in enumerate(self._manifest.segments):
            # Segments that this writer added stand behind those of before.
            if number < n_known:
                is_kept = self._is_kept[starts[number] : starts[number + 1]]
                segment = _with_removed(folder, generation, number, segment, is_kept)
            kept.append(segment)
        return kept

    def _finish(self, folder, state):
        """Write what else belongs to a state, and its manifest."""
        if self.failures != self._known_failures:
            name = f"failures-{state.generation:08d}.csv" if self.failures else None
            if name:
                write_failures(folder / name, self.failures.items())
            state = replace(state, failures=name, n_failures=len(self.failures))
        state.write(folder / MANIFEST)


def _with_removed(folder, generation, number, segment, is_kept):
    """Return a segment that knows which rows were removed."""
    removed = np.flatnonzero(~is_kept)
    if len(removed) == segment.n_removed:
        return segment
    name = f"removed-{generation:08d}-{number}.npy"
    write_array(folder / name, removed.astype(np.int64))
    return replace(segment, removed=name, n_removed=len(removed))


def _write_segment(folder, number, rows, vectors):
    segment = Segment(f"vectors-{number}.npy", f"images-{number}.parquet", len(rows))
    write_array(folder / segment.vectors, vectors.astype(np.float16))
    _write_table(folder / segment.images, rows)
    return segment


def _width_of(folder, segments):
    """Return how long the vectors of new segments are, if there are any."""
    if not segments:
        return {}
    return {"n_features": np.load(folder / segments[0].vectors, mmap_mode="r").shape[1]}


def _write_table(path, rows):
    parquet = require("pyarrow.parquet", extra="search", purpose="An image index")
    import pyarrow as pa

    types = [pa.int32() if name in ("width", "height") else pa.string() for name in IMAGE_COLUMNS]
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    parquet.write_table(pa.table(arrays, names=list(IMAGE_COLUMNS)), path, write_page_checksum=True)


def _clear(folder, manifest):
    """Remove what neither the manifest names nor anybody else put there."""
    for path in folder.iterdir():
        if path.name.startswith(f".{MANIFEST}."):  # of a writer that was killed
            shutil.rmtree(path, ignore_errors=True)
        elif is_ours(path.name) and path.name not in manifest.names:
            try:
                path.unlink()
            except OSError:  # on Windows while somebody reads it; the next writer tries again
                continue
