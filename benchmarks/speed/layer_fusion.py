"""The fusion of two layers by the similarity products that it needs."""

import numpy as np

from benchmarks.registry import OURS, Case, benchmark
from skdeepenc.retrieval import LayerFusionRanker


@benchmark(ours="LayerFusionRanker.rank", bars={"products": 0.66})
def layer_fusion(n_gallery=100_000, n_features=512, batches=(1, 10, 100)):
    """Two blocks of 100,000 x 512 values around common centres; the first 100 are wanted.

    The products are what nobody can do without who compares with all images: one matrix product per
    block. With `n_candidates=1000` candidates alone are scored, found by an index where faiss is
    installed. All similarities of one query are 2 x 205 MB read, which a batch shares; its up to
    2,000 candidates are 2 x 4 MB of scattered rows, which it shares with no other. So candidates
    gain most for few queries.
    """
    gallery, queries = clustered_blocks(n_gallery, n_features, max(batches))
    full = LayerFusionRanker(n_neighbors=100).fit(gallery)
    few = LayerFusionRanker(n_neighbors=100, n_candidates=1000).fit(gallery)
    for n_queries in batches:
        asked = [block[:n_queries] for block in queries]
        batch = "1 query" if n_queries == 1 else f"{n_queries} queries"
        yield Case(
            f"{batch}, all images",
            {
                OURS: lambda asked=asked: full.rank(asked),
                "products": lambda asked=asked: products(asked, gallery),
            },
        )
        yield Case(
            f"{batch}, 1,000 candidates",
            {
                OURS: lambda asked=asked: few.rank(asked),
                "products": lambda asked=asked: products(asked, gallery),
                "all images": lambda asked=asked: full.rank(asked),
            },
            conclude=lambda ranked: {"found of the first 100": found(ranked)},
            bars={},
        )


def products(queries, gallery):
    """Return one matrix of similarities per block."""
    return [q @ g.T for q, g in zip(queries, gallery, strict=True)]


def found(ranked):
    """Return the share of the first images of all that candidates find."""
    pairs = zip(ranked["all images"], ranked[OURS], strict=True)
    return np.mean([np.isin(expected, given).mean() for expected, given in pairs])


def clustered_blocks(n_gallery, n_features, n_queries):
    """Draw two blocks around a thousand common centres, and queries of the same kind."""
    rng = np.random.default_rng(0)
    cluster = rng.integers(1000, size=n_gallery + n_queries)
    blocks = []
    for _ in range(2):
        block = rng.standard_normal((1000, n_features), dtype=np.float32)[cluster]
        block += 0.7 * rng.standard_normal(block.shape, dtype=np.float32)
        blocks.append(np.maximum(block, 0, out=block))
    return [block[:n_gallery] for block in blocks], [block[n_gallery:] for block in blocks]
