"""Changes of an index, in children that are killed, and readers beside a writer.

All of it happens in a watched process without threads or sessions of its own, so that it may fork.
"""

import hashlib
import os
import signal
import time
from pathlib import Path

import numpy as np
import sklearn
from extraction.conftest import tiny_network
from PIL import Image
from sklearn.pipeline import make_pipeline

from robustness.cached_runs import ended, forked
from skdeepenc import ActivationExtractor, GlobalPooler
from skdeepenc.search import ImageIndex, image_pass
from skdeepenc.search.snapshot import Snapshot

N_STEADY, N_CHANGING = 4, 12


def draw(folder, number, rng):
    """Write an image that was not there before."""
    pixels = rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(Path(folder, f"{number:02d}.png"))


def build(photos, folder):
    """Make an index."""
    extractor = ActivationExtractor(tiny_network(), layers=["conv2"], batch_size=1)
    return len(ImageIndex.build(make_pipeline(extractor, GlobalPooler()), photos, folder)) > 0


def update(photos, folder):
    """Update an index, and commit as often as possible."""
    image_pass.SECONDS_A_COMMIT = 0
    with sklearn.config_context(working_memory=1e-3):
        ImageIndex.open(folder).update(photos)
    return True


def state_of(folder):
    """Return the digest of each image by its name, and vectors by digests."""
    snapshot = Snapshot(Path(folder))
    rows = np.flatnonzero(snapshot.is_kept)
    digests = np.array(snapshot.table["digest"].to_pylist())[rows]
    names = [Path(name).name for name in snapshot.names[rows]]
    assert len(set(names)) == len(names) == len(snapshot)
    return dict(zip(names, digests, strict=True)), dict(
        zip(digests, map(bytes, snapshot.take(rows)), strict=True)
    )


def killed_updates(place, n_kills):
    """Kill updates at any moment; return how many died, how many had committed, what was wrong."""
    photos, folder = Path(place, "photos"), Path(place, "index")
    photos.mkdir()
    rng = np.random.default_rng(0)
    for number in range(N_STEADY + N_CHANGING):
        draw(photos, number, rng)
    assert ended(forked(build, photos, folder)) == 0
    steady, vectors = state_of(folder)
    steady = {name: digest for name, digest in steady.items() if int(name[:2]) < N_STEADY}
    began = time.monotonic()
    assert ended(forked(update, photos, folder)) == 0
    seconds = time.monotonic() - began
    n_killed, n_halfway, wrong = 0, 0, []
    for _ in range(n_kills):
        for number in rng.choice(N_CHANGING, 5, replace=False) + N_STEADY:
            draw(photos, number, rng)
        Path(photos, f"{rng.integers(N_CHANGING) + N_STEADY:02d}.png").unlink(missing_ok=True)
        before = Snapshot(folder).manifest.generation
        pid = forked(update, photos, folder)
        # An update that encodes takes longer than the one that found nothing new.
        time.sleep(rng.uniform(0, 3 * seconds))
        os.kill(pid, signal.SIGKILL)
        n_killed += ended(pid) == -signal.SIGKILL
        n_halfway += Snapshot(folder).manifest.generation > before
        found, more = state_of(folder)
        if not steady.items() <= found.items():
            wrong.append("lost")
        if any(vectors.get(digest, vector) != vector for digest, vector in more.items()):
            wrong.append("changed")
        vectors |= more
    assert ended(forked(update, photos, folder)) == 0
    if state_of(folder)[0] != contents_of(photos):
        wrong.append("not up to date")
    assert ended(forked(build, photos, Path(place, "fresh"))) == 0
    if state_of(folder)[1] != state_of(Path(place, "fresh"))[1]:
        wrong.append("other vectors than those of a new index")
    return n_killed, n_halfway, wrong


def contents_of(photos):
    """Return the digest of each file by its name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in photos.iterdir()}


def readers_and_a_writer(place, n_readers, n_changes):
    """Let processes open and read an index over and over while another changes it."""
    photos, folder = Path(place, "photos"), Path(place, "index")
    photos.mkdir()
    rng = np.random.default_rng(0)
    for number in range(8):
        draw(photos, number, rng)
    assert ended(forked(build, photos, folder)) == 0

    def write():
        index = ImageIndex.open(folder)
        for _ in range(n_changes):
            names = index.images
            index.remove(names[4:])
            index.add(names[4:])
        return True

    def read():
        return all(len(state_of(folder)[0]) in (4, 8) for _ in range(4 * n_changes))

    pids = [forked(write), *(forked(read) for _ in range(n_readers))]
    return [ended(pid) for pid in pids]
