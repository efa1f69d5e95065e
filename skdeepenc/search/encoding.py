"""Encode images into shards of vectors: the work of one worker among any number of them.

There is no server and there are no locks. Every worker lists the images, takes each `n_shards`-th
part of the list, and writes what is not there yet; a file that has its name is whole.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from skdeepenc._optional import require
from skdeepenc._progress import progress_bar
from skdeepenc._sklearn import HasMethods, Interval, StrOptions, validate_params
from skdeepenc._typing import ImageSource, PathLike
from skdeepenc._version import __version__
from skdeepenc.exceptions import StorageError
from skdeepenc.search.encoders import open_encoder
from skdeepenc.search.listing import list_images
from skdeepenc.search.shards import find_numbers, read_description, write_shard
from skdeepenc.search.storage import Folder

__all__ = ["EncodingSummary", "encode"]

_DIFFERENCES = {
    "encoder": "by another encoder",
    "images": "from another list of images",
    "dtype": "with dtype={there!r}, not {here!r}",
    "shard_size": "with shard_size={there}, not {here}",
}


@dataclass(frozen=True)
class EncodingSummary:
    """What one call of `encode` came to; summaries of several workers add up.

    Parameters
    ----------
    n_images : int, default=0
        Images of its shards, written now or before.
    n_failures : int, default=0
        Those among them that could not be read, and have a vector of zeros.
    n_written : int, default=0
        Shards that were written.
    n_skipped : int, default=0
        Shards that were there already.

    Examples
    --------
    >>> from skdeepenc.search import EncodingSummary
    >>> print(EncodingSummary(2000, 3, 1, 1) + EncodingSummary(500, n_written=1))
    2,500 images, 3 of them failed, in 3 shards: 2 written, 1 there already
    """

    n_images: int = 0
    n_failures: int = 0
    n_written: int = 0
    n_skipped: int = 0

    def __str__(self) -> str:
        return (
            f"{self.n_images:,} images, {self.n_failures:,} of them failed, in "
            f"{self.n_written + self.n_skipped:,} shards: {self.n_written:,} written, "
            f"{self.n_skipped:,} there already"
        )

    def __add__(self, other: "EncodingSummary") -> "EncodingSummary":
        """Return what two calls came to together."""
        return EncodingSummary(
            self.n_images + other.n_images,
            self.n_failures + other.n_failures,
            self.n_written + other.n_written,
            self.n_skipped + other.n_skipped,
        )


@validate_params(
    {
        "encoder": [str, os.PathLike, HasMethods("fit")],
        "shard": [Interval(Integral, 0, None, closed="left")],
        "n_shards": [Interval(Integral, 1, None, closed="left")],
        "dtype": [StrOptions({"float16", "float32"})],
        "shard_size": [Interval(Integral, 1, None, closed="left")],
        "resume": ["boolean"],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def encode(
    encoder: Any,
    images: PathLike | Iterable[ImageSource],
    out: PathLike,
    *,
    shard: int = 0,
    n_shards: int = 1,
    dtype: str = "float16",
    shard_size: int = 10_000,
    resume: bool = True,
    verbose: int = 0,
) -> EncodingSummary:
    """Turn images into vectors in files, or one worker's share of them.

    Parameters
    ----------
    encoder : estimator or path-like
        A fitted pipeline that takes images, or the file of one: what `skdeepenc.save` wrote, or
        ``to_onnx(..., input="pixels")``. A classifier or ranker at its end is left out, and its
        extractor's `memory` is not used: maps are not kept.
    images : path-like or sequence
        A folder, searched at any depth; a listing, ``*.txt``, of one path or URL per line; tar
        archives in the manner of webdataset, or Parquet files with one column of bytes, by their
        path, by ``images-*.tar`` or by ``images-{000..119}.tar``; or a list of any of these, of
        images' paths, contents, arrays or opened images. Paths may be URLs that fsspec knows.
    out : path-like
        The folder to write to, or its URL.
    shard : int, default=0
        Which worker this is, from 0.
    n_shards : int, default=1
        How many workers there are. They may be others when a run goes on.
    dtype : {"float16", "float32"}, default="float16"
        Type of the vectors.
    shard_size : int, default=10_000
        Images in a pair of files. A tar archive makes one pair, whatever it holds.
    resume : bool, default=True
        Whether to leave what is there; False writes it again.
    verbose : int, default=0
        Show a progress bar; above 1 it stays when done.

    Returns
    -------
    EncodingSummary
        How many images and shards.

    Raises
    ------
    DataSetError
        If there are no images, or an archive cannot be read.
    StorageError
        If the folder holds shards of another encoder, other images or other options, or cannot be
        written to.
    MissingDependencyError
        If pyarrow or fsspec are not installed, which the extra ``search`` brings.
    ValueError
        If a parameter is out of range, or the encoder makes no vectors.

    See Also
    --------
    read_shards : Read what was written.

    Notes
    -----
    Shard 42 is ``vectors-00042.npy`` and ``images-00042.parquet``, the same whichever worker wrote
    it. The table has a row per image: "image" (path, URL or name in its archive), "digest" (SHA-256
    of its content), "width" and "height" as a person sees it, and "error", why it has a vector of
    zeros, where it could not be read. ``failures-00042.csv`` lists these once more, for people;
    where all could be read there is none.

    Files get their names when they are whole and on the disk, the table last. So whatever ends a
    worker, a kill, a full disk or a power cut, a shard is there or it is not.

    Images are read once and in order, decoded in the extractor's `n_jobs` threads, and encoded in
    blocks of a sixteenth of scikit-learn's ``working_memory``; what a worker holds does not depend
    on how many images there are.

    Examples
    --------
    >>> import tempfile
    >>> from skdeepenc import ActivationExtractor, GlobalPooler
    >>> from skdeepenc.datasets import make_scenes
    >>> from skdeepenc.search import encode
    >>> from sklearn.pipeline import make_pipeline
    >>> scenes = list(make_scenes(6, image_size=64, random_state=0).images)
    >>> pipeline = make_pipeline(ActivationExtractor(layers="conv5"), GlobalPooler()).fit(scenes)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print(encode(pipeline, scenes, folder, shard_size=4))
    ...     print(encode(pipeline, scenes, folder, shard_size=4))
    6 images, 0 of them failed, in 2 shards: 2 written, 0 there already
    6 images, 0 of them failed, in 2 shards: 0 written, 2 there already
    """
    for module in ("fsspec", "pyarrow"):
        require(module, extra="search", purpose="Encoding into shards")
    if shard >= n_shards:
        raise ValueError(
            f"shard={shard} is out of range: the last of {n_shards} is {n_shards - 1}."
        )
    folder, opened = Folder(out), open_encoder(encoder)
    listing = list_images(images, shard_size)
    run = _Run(folder, opened, listing, dtype, shard_size)
    there = set(run.check_folder()) if resume else set()
    mine = range(shard, len(listing.parts), n_shards)
    summary = EncodingSummary()
    total = listing.n_images(mine)
    with progress_bar(verbose=verbose, total=total, description="Encoding", unit="image") as bar:
        for number in mine:
            summary += run.skip(number, bar) if number in there else run.write(number, bar)
    return summary


class _Run:
    """The shards of one encoder and one list of images in one folder."""

    def __init__(self, folder, encoder, listing, dtype, shard_size):
        self._folder, self._encoder, self._parts, self._dtype = (
            folder,
            encoder,
            listing.parts,
            dtype,
        )
        self._description = {
            "encoder": encoder.digest,
            "images": listing.digest,
            "dtype": dtype,
            "shard_size": int(shard_size),
            "n_shards": len(listing.parts),
            "version": __version__,
        }

    def check_folder(self):
        """Return the numbers of the shards that are there; the first must be one of this run."""
        numbers = find_numbers(self._folder)
        for number in numbers[:1]:
            self._read(number)
        return numbers

    def skip(self, number, bar):
        """Leave a shard as it is; say what it holds."""
        description, n_images = self._read(number)
        bar.found(n_images)
        return EncodingSummary(n_images, description["failures"], n_skipped=1)

    def write(self, number, bar):
        """Encode a part, and write its shard."""
        rows, vectors = [], []
        for images, encoded in self._encoder.blocks(self._parts[number], self._dtype):
            rows += [image.row for image in images]
            vectors.append(encoded)
            bar.update(len(images))
        failures = sum(row[-1] is not None for row in rows)
        description = {**self._description, "failures": failures}
        write_shard(self._folder, number, rows, np.concatenate(vectors), description)
        return EncodingSummary(len(rows), failures, n_written=1)

    def _read(self, number):
        """Return what a shard says of itself; it must be one of this run."""
        description, n_images = read_description(self._folder, number)
        for key, difference in _DIFFERENCES.items():
            here, there = self._description[key], description[key]
            if here != there:
                how = difference.format(here=here, there=there)
                raise StorageError(
                    f"Shard {number} in {self._folder} was written {how}: give another folder, or "
                    "resume=False to write all shards again."
                )
        return description, n_images
