"""Re-ranking over 10,000 images: what fit learns, and what a query costs then."""

import numpy as np

from benchmarks.registry import OURS, Case, benchmark
from benchmarks.speed.ranker import clustered_vectors
from skdeepenc.retrieval import (
    DiffusionRanker,
    KReciprocalRanker,
    LocalRanker,
    NearestNeighborRanker,
    RefiningRanker,
)

RERANKERS = {
    "k-reciprocal": KReciprocalRanker(n_neighbors=100),
    "diffusion": DiffusionRanker(),
    "truncated diffusion": DiffusionRanker(n_candidates=1_000),
    "refinement": RefiningRanker(n_neighbors=100),
}


@benchmark(ours="fit and rank of each re-ranker", rounds=2)
def reranking(n_gallery=10_000, n_features=512, n_queries=100):
    """10,000 images and 100 queries should take seconds, and no memory of the gallery squared.

    Beside each stands the exact ranking alone, whose products are done in `fit` as often as a graph
    needs them.
    """
    gallery, queries = clustered_vectors(n_gallery, n_features, n_queries)
    for name, ranker in RERANKERS.items():
        fitted = ranker.fit(gallery)
        plain = NearestNeighborRanker(n_neighbors=100).fit(gallery)
        yield Case(
            f"{name}: fit",
            {
                OURS: lambda ranker=ranker: ranker.fit(gallery),
                "exact neighbors": lambda plain=plain: plain.rank(gallery),
            },
            memory=True,
        )
        yield Case(
            f"{name}: {n_queries} queries",
            {
                OURS: lambda fitted=fitted: fitted.rank(queries, 100),
                "exact neighbors": lambda plain=plain: plain.rank(queries),
            },
            units=dict.fromkeys((OURS, "exact neighbors"), n_queries),
        )


@benchmark(ours="LocalRanker.rank", rounds=2)
def local_matching(shape=(16, 16, 384), n_images=200, n_candidates=100, n_queries=2):
    """The positions of a query against those of 100 candidates, sized as a small transformer's.

    The peer computes the same maxima one candidate after the other.
    """
    maps = np.random.default_rng(0).random((n_images, *shape), dtype=np.float32)
    flat = maps.reshape(n_images, -1, shape[-1])
    unit = flat / np.linalg.norm(flat, axis=2, keepdims=True)
    for matching in ("sum_max", "mutual"):
        ranker = LocalRanker(n_candidates=n_candidates, matching=matching).fit(maps)
        works = {OURS: lambda ranker=ranker: ranker.rank(maps[:n_queries])}
        if matching == "sum_max":
            works["one by one"] = lambda: [
                [(query @ image.T).max(axis=1).mean() for image in unit[:n_candidates]]
                for query in unit[:n_queries]
            ]
        yield Case(matching, works, units=dict.fromkeys(works, n_queries))
