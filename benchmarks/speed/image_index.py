"""An index of images: opened, asked once, and brought up to date."""

import tempfile
import time
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.pipeline import make_pipeline

from benchmarks.registry import OURS, Case, benchmark
from benchmarks.turns import Took
from skdeepenc import ActivationExtractor, GlobalPooler
from skdeepenc.search import ImageIndex
from skdeepenc.search.index_writer import ROWS_A_SEGMENT, IndexWriter, locked
from skdeepenc.search.new_index import begin_index
from skdeepenc.search.similar import most_similar
from skdeepenc.search.snapshot import Snapshot


@benchmark(ours="ImageIndex")
def image_index(n_vectors=100_000, n_features=512, n_images=500):
    """Open 100,000 vectors (at most 50 ms), ask once (20 ms), update by 1 % of the images.

    The peer of a query is numpy's product with float32 vectors in memory and a partition. An update
    is compared per new image with building anew: 1 means that 1 % costs 1 %.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "vectors")
        vectors = fill(folder, n_vectors, n_features)
        yield Case(f"open {n_vectors:,}", {OURS: lambda: ImageIndex.open(folder)})
        yield ask_once(Snapshot(folder), vectors)
        yield update(Path(place), n_images)


def encoder():
    """Return a fitted pipeline of the embedded network."""
    blank = [np.full((64, 64, 3), shade, dtype=np.uint8) for shade in (0, 99, 200)]
    return make_pipeline(ActivationExtractor(layers="conv5"), GlobalPooler()).fit(blank)


def fill(folder, n_vectors, n_features):
    """Write an index of drawn vectors, and return them."""
    begin_index(folder, encoder())
    vectors = np.random.default_rng(0).standard_normal((n_vectors, n_features), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with locked(folder):
        writer = IndexWriter(folder)
        for first in range(0, n_vectors, ROWS_A_SEGMENT):
            part = vectors[first : first + ROWS_A_SEGMENT]
            rows = [
                (f"{first + row}.png", str(first + row), 64, 64, "") for row in range(len(part))
            ]
            writer.commit([(rows, part)])
    return vectors


def ask_once(snapshot, vectors, n_neighbors=10):
    """Return the case of one query."""
    query = vectors[123:124]

    def by_numpy():
        similarities = vectors @ query[0]
        best = np.argpartition(-similarities, n_neighbors)[:n_neighbors]
        return best[np.argsort(-similarities[best])]

    works = {
        OURS: lambda: most_similar(snapshot, query, n_neighbors, snapshot.is_kept)[1][0],
        "numpy on float32": by_numpy,
    }
    works[OURS]()  # reads the vectors into memory
    return Case(
        "one query",
        works,
        conclude=lambda found: {
            "same images": np.isin(found[OURS], found["numpy on float32"]).mean()
        },
    )


def update(place, n_images):
    """Return the case of an update by 1 % of the images."""
    photos, rng, numbers = place / "photos", np.random.default_rng(0), count()
    photos.mkdir()

    def draw(n_drawn):
        for _ in range(n_drawn):
            pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((300, 200)).save(photos / f"{next(numbers)}.jpg")

    draw(n_images)
    fitted = encoder()
    time.sleep(3)  # files of this moment may change again unnoticed, and are read again
    index = ImageIndex.build(fitted, photos, place / "index")

    def update_index():
        draw(n_images // 100)
        began = time.perf_counter()
        index.update(photos)
        return Took(time.perf_counter() - began)

    works = {
        OURS: update_index,
        "building anew": lambda: ImageIndex.build(fitted, photos, place / f"index {next(numbers)}"),
    }
    return Case("update by 1 %", works, units={OURS: n_images // 100, "building anew": n_images})
