"""One pass over a list of images: what of it an index knows, and what has to be encoded.

A file whose time stamps are those of last time is not even opened. Any other is read, and known by
its content: renamed, copied or touched images keep their vectors.
"""

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skdeepenc._progress import ProgressBar
from skdeepenc.exceptions import ImageError
from skdeepenc.extraction.sources import file_stamp
from skdeepenc.functional.normalize import unit_rows
from skdeepenc.search.images import EncodedImage, as_text
from skdeepenc.search.index_writer import IndexWriter

__all__ = ["UpdateSummary", "numbered_behind", "run_pass"]

# So much work, at most, does a kill undo.
SECONDS_A_COMMIT = 30.0


@dataclass(frozen=True)
class UpdateSummary:
    """What a change of an index came to.

    Parameters
    ----------
    n_encoded : int, default=0
        Images that were encoded, new and changed ones.
    n_reused : int, default=0
        Images whose content was known, under another name or with other time stamps.
    n_unchanged : int, default=0
        Images that were left as they are.
    n_removed : int, default=0
        Images that are not there any more.
    n_failures : int, default=0
        Images that could not be read; `ImageIndex.failures` lists them.

    Examples
    --------
    >>> from skdeepenc.search import UpdateSummary
    >>> print(UpdateSummary(n_encoded=3, n_unchanged=1200, n_failures=1))
    3 images encoded, 0 known by their content, 1,200 unchanged, 0 removed, 1 failed
    """

    n_encoded: int = 0
    n_reused: int = 0
    n_unchanged: int = 0
    n_removed: int = 0
    n_failures: int = 0

    def __str__(self) -> str:
        return (
            f"{self.n_encoded:,} images encoded, {self.n_reused:,} known by their content, "
            f"{self.n_unchanged:,} unchanged, {self.n_removed:,} removed, "
            f"{self.n_failures:,} failed"
        )


def run_pass(
    writer: IndexWriter,
    encoder: Any,
    images: Any,
    *,
    bar: ProgressBar,
    is_whole: bool,
    reread: bool = False,
) -> UpdateSummary:
    """Bring an index to the state of some images.

    Parameters
    ----------
    writer : IndexWriter
        Of the index.
    encoder : ImageEncoder
        What turns images into vectors.
    images : iterable of EncodedImage
        The images. Of several of one name the first counts.
    bar : ProgressBar
        What moves by every image.
    is_whole : bool
        Whether images that are not among them are to be removed.
    reread : bool, default=False
        Whether to read images whose files seem unchanged.

    Returns
    -------
    UpdateSummary
        What was done.
    """
    work = _Pass(writer, reread, bar)
    for block, vectors in encoder.blocks(work.unknown(images), "float32"):
        work.add(block, vectors)
    return work.finish(is_whole)


def numbered_behind(images, snapshot):
    """Call images without names otherwise than those that are there.

    Parameters
    ----------
    images : iterable of EncodedImage
        Images, each of them.
    snapshot : Snapshot
        What is there.

    Yields
    ------
    EncodedImage
        The images.
    """
    taken, number = {*snapshot.rows_by_name, *snapshot.failures}, 0
    for image in images:
        if not image.is_named and image.name.startswith("image "):
            while f"image {number}" in taken:
                number += 1
            image.name = f"image {number}"
            taken.add(image.name)
        yield image


@dataclass
class _Pending:
    """What waits for the next commit."""

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    vectors: list[np.ndarray] = field(default_factory=list)
    reused: list[tuple[str, int]] = field(default_factory=list)
    replaced: list[int] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)


class _Pass:
    """One pass, image by image."""

    def __init__(self, writer, reread, bar):
        self._writer, self._reread, self._bar = writer, reread, bar
        self._before = writer.snapshot
        self._rows = self._before.rows_by_name
        columns = {name: self._before.table[name].to_pylist() for name in ("digest", "stamp")}
        self._digests, self._stamps = columns["digest"], columns["stamp"]
        self._by_digest = {self._digests[row]: row for row in self._rows.values()}
        self._seen: set[str] = set()
        self._new_stamps: dict[str, Any] = {}
        self._counts = dict.fromkeys(("n_encoded", "n_reused", "n_unchanged", "n_failures"), 0)
        self._pending = _Pending()

    def unknown(self, images):
        """Yield the images whose content is not known."""
        for image in images:
            is_new = image.name not in self._seen
            self._seen.add(image.name)
            to_encode = list(self._look_at(image)) if is_new else []
            yield from to_encode
            if not to_encode:
                self._bar.found()

    def _look_at(self, image):
        row = self._rows.get(image.name)
        stamp = _stamp_of(image)
        is_same = row is not None and stamp is not None and stamp == self._stamps[row]
        if is_same and not self._reread:
            self._counts["n_unchanged"] += 1
            return
        self._new_stamps[image.name] = stamp
        if not self._rows:  # nothing is known: it is read by the threads that decode
            yield image
            return
        try:
            content = image.read()
        except ImageError as error:
            self._fail(image.name, str(error))
            return
        known = self._by_digest.get(image.digest)
        if known is None:
            yield EncodedImage(image.name, content)
        elif self._is_of(row, image) and (stamp is None or is_same):
            self._counts["n_unchanged"] += 1
        else:
            self._reuse(image.name, known)

    def _is_of(self, row, image):
        """Tell whether a row has the content of an image."""
        return row is not None and self._digests[row] == image.digest

    def _reuse(self, name, known):
        """Let an image have the vector of a row, beside its own name and stamp."""
        self._counts["n_reused"] += 1
        self._replace(name)
        self._pending.reused.append((name, known))
        self._writer.failures.pop(name, None)
        if len(self._pending.reused) >= self._writer.rows_a_segment(
            self._before.manifest.n_features
        ):
            self._commit()

    def _fail(self, name, error):
        self._counts["n_failures"] += 1
        self._replace(name)
        self._writer.failures[name] = as_text(error)

    def _replace(self, name):
        if name in self._rows:
            self._pending.replaced.append(self._rows[name])

    def add(self, images, vectors):
        """Take note of encoded images, and commit now and then."""
        self._bar.update(len(images))
        is_good = np.array([image.error is None for image in images])
        for image in images:
            if image.error is None:
                self._counts["n_encoded"] += 1
                self._replace(image.name)
                self._writer.failures.pop(image.name, None)
                self._pending.rows.append(self._row_of(image))
            else:
                self._fail(image.name, image.error)
        self._pending.vectors.append(vectors[is_good])
        enough = self._writer.rows_a_segment(vectors.shape[1])
        is_time = time.monotonic() - self._pending.since > SECONDS_A_COMMIT
        if len(self._pending.rows) >= enough or is_time:
            self._commit()

    def _row_of(self, image):
        return (image.name, image.digest, *image.size, self._new_stamps.pop(image.name, None))

    def _commit(self):
        pending, self._pending = self._pending, _Pending()
        self._writer.remove(pending.replaced)
        self._writer.commit([*_encoded_parts(pending), *self._reused_parts(pending.reused)])

    def _reused_parts(self, reused):
        if not reused:
            return
        widths, heights = (self._before.table[side].to_pylist() for side in ("width", "height"))
        rows = [
            (name, self._digests[row], widths[row], heights[row], self._new_stamps.pop(name, None))
            for name, row in reused
        ]
        yield rows, self._before.take(np.array([row for _, row in reused]))

    def finish(self, is_whole):
        """Remove what is not there any more, commit the rest, and count."""
        vanished = [name for name in self._rows if is_whole and name not in self._seen]
        self._pending.replaced += [self._rows[name] for name in vanished]
        if is_whole:
            for name in [name for name in self._writer.failures if name not in self._seen]:
                del self._writer.failures[name]
        self._commit()
        self._writer.compact()
        self._writer.index_neighbors()
        return UpdateSummary(**self._counts, n_removed=len(vanished))


def _stamp_of(image):
    """Return what changes when a file does; None where that cannot be told without reading."""
    stamp = file_stamp(image.source) if image.is_named else None
    return None if stamp is None else " ".join(map(str, stamp[-3:]))  # size, and two times


def _encoded_parts(pending):
    if pending.rows:
        yield pending.rows, unit_rows(np.concatenate(pending.vectors))
