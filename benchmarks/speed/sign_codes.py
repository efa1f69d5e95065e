"""Sign codes against faiss's Hamming distances and against numpy on bytes."""

from importlib.util import find_spec

import numpy as np

from benchmarks.registry import OURS, Case, benchmark
from skdeepenc.retrieval import SignCodes, differing_bits


@benchmark(ours="SignCodes.search", bars={"numpy on bytes": 2, "faiss IndexBinaryFlat": 0.83})
def sign_codes(n_codes=20_000, n_values=131_072, n_jobs=2, counter="installed"):
    """One query against 20,000 codes of 131,072 values: 262,144 bits.

    The peers compute Hamming distances of as many bits. Three queries: without zeros, with a third
    of them, and restricted to a tenth of the channels. Where faiss is installed its kernel counts
    our bits, too (docs/decisions/0006); counter=numpy shows what others get.
    """
    if counter == "numpy":
        differing_bits.difference_counter = differing_bits.NumpyCounter
    rng = np.random.default_rng(0)
    codes = random_codes(n_codes, n_values, rng)
    others = peers(codes)
    for name, query in queries(n_values, rng):
        packed = SignCodes.encode(query[None])
        as_bytes = packed._words.view(np.uint8)
        works = {OURS: lambda q=packed: codes.search(q, 10, n_jobs=n_jobs)}
        for peer, function in others.items():
            works[peer] = lambda f=function, q=as_bytes: f(q)
        yield Case(name, works)


def random_codes(n_codes, n_values, rng):
    """Make codes of -1, 0 and 1 with a third of zeros, without a large array of floats."""
    words_per_code = SignCodes.encode(np.ones((1, n_values)))._words.shape[1]
    words = rng.integers(0, 2**64, size=(n_codes, words_per_code), dtype=np.uint64)
    words[:, 1::2] &= words[:, 0::2]  # never "positive" without "not negative"
    return SignCodes(words, n_values)


def queries(n_values, rng):
    """Yield the name and the values of each kind of query."""
    real = rng.standard_normal(n_values)
    few_channels = real.reshape(-1, 512).copy()
    few_channels[rng.permutation(len(few_channels))[len(few_channels) // 10 :]] = 0
    yield "no zeros", real
    yield "a third of zeros", real * (rng.random(n_values) < 2 / 3)
    yield "a tenth of channels", few_channels.ravel()


def peers(codes):
    """Return what each library does with the bytes of one query."""
    as_bytes = codes._words.view(np.uint8)
    functions = {"numpy on bytes": lambda query: bitwise_count_on_bytes(as_bytes, query)}
    if find_spec("faiss") is not None:
        import faiss

        index = faiss.IndexBinaryFlat(8 * as_bytes.shape[1])
        index.add(as_bytes)
        functions["faiss IndexBinaryFlat"] = lambda query: index.search(query, 10)
    return functions


def bitwise_count_on_bytes(codes, query):
    """Return Hamming distances as one would write them."""
    return np.bitwise_count(codes ^ query).sum(axis=1, dtype=np.int32)
