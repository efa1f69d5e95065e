"""Time the fusion of two layers by the two similarity products it needs, alternately in one run.

Two blocks of 100,000 x 512 values around common centres. The products are what nobody can do
without who compares with all images: one matrix product a block. Fusion maps, adds and selects the
first 100; with `n_candidates=1000` it scores candidates alone, found by an index where faiss is
installed.

What candidates can save: all similarities of one query are 2 x 205 MB read, which a batch shares.
The up to 2,000 candidates of a query are 2 x 4 MB of scattered rows, which it shares with no other.
So the ratio has a floor of about 0.02 times the number of queries, times how much slower scattered
reading is, until the products are bound by arithmetic instead (from about 50 queries on).
"""

import argparse
import time

import numpy as np
from clocks import CLOCKS, alternately

from skdeepenc.retrieval import LayerFusionRanker


def main():
    """Print the ratios for single queries and for a batch of them."""
    arguments = parse_arguments()
    gallery, queries = clustered_blocks(arguments)
    full = LayerFusionRanker(n_neighbors=100).fit(gallery)
    start = time.perf_counter()
    few = LayerFusionRanker(n_neighbors=100, n_candidates=1000).fit(gallery)
    print(
        f"candidate search built in {time.perf_counter() - start:.1f} s, "
        f"finds {', '.join(f'{share:.3f}' for share in few.candidate_recall_)}"
    )
    for n_queries in (1, 10, arguments.n_queries):
        asked = [block[:n_queries] for block in queries]
        works = {
            "products": lambda asked=asked: [q @ g.T for q, g in zip(asked, gallery, strict=True)],
            "fusion": lambda asked=asked: full.rank(asked),
            "candidates": lambda asked=asked: few.rank(asked),
        }
        seconds = alternately(CLOCKS[arguments.clock], works, arguments.repeats)
        products, fusion, candidates = map(min, seconds.values())
        print(
            f"{n_queries:4d} queries: products {products:.4f} s, fusion {fusion / products:5.2f}, "
            f"with candidates {candidates / products:5.2f} of that"
        )
    pairs = zip(full.rank(queries), few.rank(queries), strict=True)
    shares = [np.isin(expected, found).mean() for expected, found in pairs]
    print(f"candidates find {np.mean(shares):.3f} of the first 100 of all")


def clustered_blocks(arguments):
    """Draw two blocks around a thousand common centres, and queries of the same kind."""
    rng = np.random.default_rng(0)
    n_images = arguments.n_gallery + arguments.n_queries
    cluster = rng.integers(1000, size=n_images)
    blocks = []
    for _ in range(2):
        block = rng.standard_normal((1000, arguments.n_features), dtype=np.float32)[cluster]
        block += 0.7 * rng.standard_normal(block.shape, dtype=np.float32)
        blocks.append(np.maximum(block, 0, out=block))
    n_gallery = arguments.n_gallery
    return [block[:n_gallery] for block in blocks], [block[n_gallery:] for block in blocks]


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-gallery", type=int, default=100_000)
    parser.add_argument("--n-features", type=int, default=512)
    parser.add_argument("--n-queries", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    return parser.parse_args()


if __name__ == "__main__":
    main()
