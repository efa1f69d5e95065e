"""Time the assignment of descriptors to 50,000 words: an index of faiss by exact products.

Alternately in one run, with the share of assignments that agree. Real descriptors from a `.npy`
file are better than the drawn ones, which have as many directions as activations but no structure
beside.
"""

import argparse
import time

import numpy as np
from clocks import CLOCKS, timed

from skdeepenc.encoders.words import assign_words, open_index


def main():
    """Print the ratio and the agreement."""
    arguments = parse_arguments()
    rng = np.random.RandomState(0)
    descriptors = load_descriptors(arguments, rng)
    words, asked = descriptors[: arguments.n_words], descriptors[-arguments.n_queries :]
    start = time.perf_counter()
    index, said = open_index(words, asked, "faiss", rng)
    built = time.perf_counter() - start
    clock = CLOCKS[arguments.clock]
    times, labels = np.empty((arguments.repeats, 2)), {}
    for repeat in range(arguments.repeats):
        for column, search in enumerate((index, None)):
            times[repeat, column], (labels[column], _) = timed(
                clock, assign_words, asked, words, search
            )
    indexed, exact = times.min(axis=0)
    print(
        f"{len(asked)} descriptors of {words.shape[1]} values, {len(words)} words: "
        f"index {indexed:.3f} s, exact {exact:.3f} s, ratio {exact / indexed:.1f}, "
        f"agreement {np.mean(labels[0] == labels[1]):.3f} (said {said:.3f}), built in {built:.1f} s"
    )


def load_descriptors(arguments, rng):
    """Return descriptors in random order: of a file, or rectified mixtures of 40 directions."""
    if arguments.descriptors is not None:
        loaded = np.load(arguments.descriptors).astype(np.float32, copy=False)
        return np.ascontiguousarray(loaded[rng.permutation(len(loaded))])
    n_descriptors = arguments.n_words + arguments.n_queries
    drawn = rng.standard_normal((n_descriptors, 40)) @ rng.standard_normal((40, 512))
    drawn += 1.5 * rng.standard_normal(drawn.shape)
    return np.maximum(drawn, 0).astype(np.float32)


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--descriptors", help="a .npy file of shape (n, D)")
    parser.add_argument("--n-words", type=int, default=50_000)
    parser.add_argument("--n-queries", type=int, default=4_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    return parser.parse_args()


if __name__ == "__main__":
    main()
