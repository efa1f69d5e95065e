"""The first neighbours of vectors against scikit-learn's brute search, and an index of faiss."""

from importlib.util import find_spec

import numpy as np
from sklearn.neighbors import NearestNeighbors

from benchmarks.registry import OURS, Case, benchmark
from skdeepenc.retrieval import IndexedRanker, NearestNeighborRanker


@benchmark(ours="NearestNeighborRanker.kneighbors", bars={"scikit-learn": 1.5})
def ranker(n_gallery=100_000, n_features=512, n_queries=100, n_neighbors=100):
    """The first 100 of 100,000 vectors, for 100 queries; memory is that beyond the gallery.

    With faiss installed also `IndexedRanker`, on clustered vectors, as those of real images are;
    its recall is that against the exact answer.
    """
    gallery, queries = clustered_vectors(n_gallery, n_features, n_queries)
    for metric in ("cosine", "euclidean"):
        ours = NearestNeighborRanker(metric=metric, n_neighbors=n_neighbors).fit(gallery)
        theirs = NearestNeighbors(metric=metric, n_neighbors=n_neighbors, algorithm="brute").fit(
            gallery
        )
        yield Case(
            metric,
            {
                OURS: lambda ours=ours: ours.kneighbors(queries)[1],
                "scikit-learn": lambda theirs=theirs: theirs.kneighbors(queries)[1],
            },
            conclude=lambda found: {"same ranks": np.mean(found[OURS] == found["scikit-learn"])},
            memory=True,
        )
    if find_spec("faiss") is not None:
        exact = NearestNeighborRanker(n_neighbors=n_neighbors).fit(gallery)
        indexed = IndexedRanker(n_neighbors=n_neighbors, random_state=0).fit(gallery)
        yield Case(
            "index",
            {OURS: lambda: indexed.rank(queries), "exact": lambda: exact.rank(queries)},
            facts={"recall said": indexed.recall_},
            conclude=lambda ranked: {"recall": recall(ranked["exact"], ranked[OURS])},
        )


def recall(exact, found):
    """Return the share of the true neighbours that were found."""
    pairs = zip(exact, found, strict=True)
    return np.mean([np.isin(expected, given).mean() for expected, given in pairs])


def clustered_vectors(n_gallery, n_features, n_queries):
    """Draw vectors around a thousand centres."""
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((1000, n_features), dtype=np.float32)
    vectors = centers[rng.integers(len(centers), size=n_gallery + n_queries)]
    vectors += 0.7 * rng.standard_normal(vectors.shape, dtype=np.float32)
    return vectors[:n_gallery], vectors[n_gallery:]
