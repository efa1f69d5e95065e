"""Disks that are full in the middle of a file, in a process that may write only small ones."""

import resource
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from extraction.conftest import tiny_network
from sklearn.pipeline import make_pipeline

from skdeepenc import ActivationExtractor, GlobalPooler
from skdeepenc.exceptions import StorageError
from skdeepenc.search import ImageIndex, encode, read_shards

IMAGES = list(np.random.default_rng(0).integers(0, 256, (150, 9, 9, 3), dtype=np.uint8))
N_INDEXED = 20
# Vectors of the shards fit, their tables do not; and of a change of the index nothing but the lock.
BYTES = {"vectors": 1000, "tables": 3000, "index": 200}


@contextmanager
def at_most(n_bytes):
    """Let no file become larger."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def full_disks(place):
    """Encode and change an index on full disks; return what was said, and whether all went on."""
    place = Path(place)
    extractor = ActivationExtractor(tiny_network(), layers=["conv2"])
    pipeline = make_pipeline(extractor, GlobalPooler()).fit(IMAGES[:2])
    index = ImageIndex.build(pipeline, IMAGES[:N_INDEXED], place / "index")
    said = {}
    for what, n_bytes in BYTES.items():
        before = contents_of(place / "index")
        with at_most(n_bytes):
            try:
                if what == "index":
                    index.add(IMAGES[N_INDEXED:])
                else:
                    encode(pipeline, IMAGES, place / "out", shard_size=len(IMAGES))
            except StorageError as error:
                said[what] = str(error)
        assert contents_of(place / "index") == before
        assert len(ImageIndex.open(place / "index")) == N_INDEXED
    assert encode(pipeline, IMAGES, place / "out", shard_size=len(IMAGES)).n_written == 1
    assert len(read_shards(place / "out")) == len(IMAGES)
    assert index.add(IMAGES[N_INDEXED:]).n_encoded == len(IMAGES) - N_INDEXED
    return said


def contents_of(folder):
    """Return the content of each file of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
