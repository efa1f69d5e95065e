"""Time sign codes against faiss and against numpy on bytes, alternately in one run.

One query is compared with 20,000 codes of 262,144 bits (131,072 values). The peers compute Hamming
distances of as many bits: faiss's ``IndexBinaryFlat`` (with its search for the first ten), and the
plain ``numpy.bitwise_count`` of the exclusive or of byte arrays. Three queries: the signs of real
numbers (no zeros), signs of which a third are zero, and a query restricted to a tenth of its
channels. Where faiss is installed our bits are counted by its kernel, too (docs/decisions/0006);
``--counter numpy`` shows what others get. On a busy machine set OMP_NUM_THREADS=1, ``--jobs 1`` and
``--clock cpu``.
"""

import argparse

import numpy as np
from clocks import CLOCKS, alternately

from skdeepenc.retrieval import SignCodes, differing_bits


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


def bitwise_count_on_bytes(codes, query):
    """Hamming distances as one would write them."""
    return np.bitwise_count(codes ^ query).sum(axis=1, dtype=np.int32)


def peers(codes):
    """Return what each library does with the bytes of one query."""
    as_bytes = codes._words.view(np.uint8)
    functions = {"numpy on bytes": lambda query: bitwise_count_on_bytes(as_bytes, query)}
    try:
        import faiss
    except ImportError:
        print("faiss is not installed: not compared")
        return functions
    index = faiss.IndexBinaryFlat(8 * as_bytes.shape[1])
    index.add(as_bytes)
    functions["faiss IndexBinaryFlat"] = lambda query: index.search(query, 10)
    return functions


def time_alternately(functions, repeats, clock):
    """Return the least seconds of each function; the first round warms up."""
    seconds = alternately(clock, functions, repeats + 1)
    return {name: min(taken[1:]) for name, taken in seconds.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--codes", type=int, default=20_000)
    parser.add_argument("--values", type=int, default=131_072)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--counter", choices=("installed", "numpy"), default="installed")
    arguments = parser.parse_args()
    if arguments.counter == "numpy":
        differing_bits.difference_counter = differing_bits.NumpyCounter
    rng = np.random.default_rng(0)
    codes = random_codes(arguments.codes, arguments.values, rng)
    others = peers(codes)
    print(f"{codes}, {arguments.jobs} threads, best of {arguments.repeats}")
    for name, query in queries(arguments.values, rng):
        packed = SignCodes.encode(query[None])
        as_bytes = packed._words.view(np.uint8)
        functions = {"ours": lambda q=packed: codes.search(q, 10, n_jobs=arguments.jobs)}
        for peer, function in others.items():
            functions[peer] = lambda f=function, q=as_bytes: f(q)
        seconds = time_alternately(functions, arguments.repeats, CLOCKS[arguments.clock])
        for peer in others:
            print(
                f"{name}: ours {seconds['ours'] * 1e3:.1f} ms, {peer} "
                f"{seconds[peer] * 1e3:.1f} ms, ratio {seconds[peer] / seconds['ours']:.2f}"
            )


if __name__ == "__main__":
    main()
