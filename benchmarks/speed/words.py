"""The assignment of descriptors to many words: faiss's index against exact products."""

import numpy as np

from benchmarks.registry import OURS, Case, benchmark, require
from skdeepenc.functional.visual_words import assign_words, open_index


@benchmark(ours="BagOfVisualWords' search", bars={"exact products": 4}, rounds=3)
def words(n_words=50_000, n_queries=4_000, descriptors=None):
    """4,000 descriptors of 512 values to 50,000 words.

    descriptors=FILE.npy takes real ones, of shape (n, D), which are better than those drawn: these
    have as many directions as activations, but no structure beside.
    """
    require("faiss", "faiss")
    rng = np.random.RandomState(0)
    drawn = load_descriptors(descriptors, n_words + n_queries, rng)
    vocabulary, asked = drawn[:n_words], drawn[-n_queries:]
    index, said = open_index(vocabulary, asked, "faiss", rng)
    yield Case(
        f"{n_queries:,} descriptors, {n_words:,} words",
        {
            OURS: lambda: assign_words(asked, vocabulary, index)[0],
            "exact products": lambda: assign_words(asked, vocabulary, None)[0],
        },
        facts={"agreement said": said},
        conclude=lambda labels: {"agreement": np.mean(labels[OURS] == labels["exact products"])},
    )


def load_descriptors(path, count, rng):
    """Return descriptors in random order: of a file, or rectified mixtures of 40 directions."""
    if path is not None:
        loaded = np.load(path).astype(np.float32, copy=False)
        return np.ascontiguousarray(loaded[rng.permutation(len(loaded))])
    drawn = rng.standard_normal((count, 40)) @ rng.standard_normal((40, 512))
    drawn += 1.5 * rng.standard_normal(drawn.shape)
    return np.maximum(drawn, 0).astype(np.float32)
