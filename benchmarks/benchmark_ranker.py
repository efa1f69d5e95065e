"""Time the first 100 of 100,000 vectors against scikit-learn's brute search, in one run.

Prints the ratio of the times, the share of neighbours that agree, and the peak of memory that a
search takes beyond the gallery. With faiss installed also `IndexedRanker`, on clustered vectors, as
those of real images are; its recall is that against the exact answer.
"""

import argparse
import time
import tracemalloc
from importlib.util import find_spec

import numpy as np
from clocks import CLOCKS, alternately
from sklearn.neighbors import NearestNeighbors

from skdeepenc.retrieval import IndexedRanker, NearestNeighborRanker


def main():
    """Print one line for each metric, and one for the index."""
    arguments = parse_arguments()
    gallery, queries = clustered_vectors(arguments)
    for metric in ("cosine", "euclidean"):
        time_exact(metric, gallery, queries, arguments)
    if find_spec("faiss") is not None:
        time_index(gallery, queries, arguments)


def time_exact(metric, gallery, queries, arguments):
    """Print the ratio to scikit-learn's brute search, the agreement and the memory."""
    ours = NearestNeighborRanker(metric=metric, n_neighbors=arguments.n_neighbors).fit(gallery)
    theirs = NearestNeighbors(
        metric=metric, n_neighbors=arguments.n_neighbors, algorithm="brute"
    ).fit(gallery)
    our_time, their_time = shortest(
        lambda: ours.kneighbors(queries), lambda: theirs.kneighbors(queries), arguments
    )
    agreement = np.mean(ours.kneighbors(queries)[1] == theirs.kneighbors(queries)[1])
    print(
        f"{metric:10s} ours {our_time:6.3f} s, scikit-learn {their_time:6.3f} s, "
        f"ratio {their_time / our_time:5.1f}, same at {100 * agreement:.2f} % of ranks, "
        f"peak {peak_megabytes(lambda: ours.kneighbors(queries)):.0f} MB beyond the gallery"
    )


def time_index(gallery, queries, arguments):
    """Print the time of an index by that of exact search, and what it finds."""
    exact = NearestNeighborRanker(n_neighbors=arguments.n_neighbors).fit(gallery)
    start = time.perf_counter()
    indexed = IndexedRanker(n_neighbors=arguments.n_neighbors, random_state=0).fit(gallery)
    built = time.perf_counter() - start
    index_time, exact_time = shortest(
        lambda: indexed.rank(queries), lambda: exact.rank(queries), arguments
    )
    pairs = zip(exact.rank(queries), indexed.rank(queries), strict=True)
    recall = np.mean([np.isin(expected, found).mean() for expected, found in pairs])
    print(
        f"index      {index_time:6.3f} s, exact {exact_time:6.3f} s, "
        f"ratio {exact_time / index_time:5.1f}, recall {recall:.3f} (said {indexed.recall_:.3f}), "
        f"built in {built:.1f} s"
    )


def clustered_vectors(arguments):
    """Draw vectors around a thousand centres."""
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((1000, arguments.n_features), dtype=np.float32)
    n_vectors = arguments.n_gallery + arguments.n_queries
    vectors = centers[rng.integers(len(centers), size=n_vectors)]
    vectors += 0.7 * rng.standard_normal(vectors.shape, dtype=np.float32)
    return vectors[: arguments.n_gallery], vectors[arguments.n_gallery :]


def shortest(ours, theirs, arguments):
    """Return the shortest time of each, run in turn."""
    works = {"ours": ours, "theirs": theirs}
    return map(min, alternately(CLOCKS[arguments.clock], works, arguments.repeats).values())


def peak_megabytes(work):
    """Return the most memory that arrays took while working."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-gallery", type=int, default=100_000)
    parser.add_argument("--n-features", type=int, default=512)
    parser.add_argument("--n-queries", type=int, default=100)
    parser.add_argument("--n-neighbors", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    return parser.parse_args()


if __name__ == "__main__":
    main()
