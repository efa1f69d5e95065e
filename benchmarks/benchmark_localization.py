"""Time the localization of one query in 1,000 candidates, maps in memory.

    python benchmarks/benchmark_localization.py [--height 20 --width 27 --channels 512] [--jobs 2]

The default is the size of SqueezeNet's last maps on pictures of 320 x 427 pixels. The time includes
the integral images. A plain search by slices and maxima over the same boxes is timed on a few of
the candidates, for comparison.
"""

import argparse

import numpy as np
from clocks import CLOCKS

from skdeepenc.maps import FeatureMaps
from skdeepenc.retrieval import localize
from skdeepenc.retrieval.localization import _coarse_boxes


def exhaustive(feature_map, query, ratio):
    """Search the coarse boxes with true maxima, one after the other."""
    similarities = []
    for y0, x0, y1, x1 in _coarse_boxes(*feature_map.shape[:2], ratio, 3, 1.1):
        maxima = feature_map[y0:y1, x0:x1].max(axis=(0, 1))
        similarities.append(maxima @ query / np.linalg.norm(maxima))
    return max(similarities)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--height", type=int, default=20)
    parser.add_argument("--width", type=int, default=27)
    parser.add_argument("--channels", type=int, default=512)
    parser.add_argument("--candidates", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    clock = CLOCKS[arguments.clock]
    shape = arguments.height, arguments.width, arguments.channels
    rng = np.random.default_rng(0)
    few = np.maximum(rng.normal(size=(20, *shape)), 0).astype(np.float32)
    maps = FeatureMaps.from_arrays(few)[np.arange(arguments.candidates) % len(few)]
    query = few[0, 3:12, 4:16].max(axis=(0, 1))
    ratio = 12 / 9
    for _ in range(arguments.repeats):
        start = clock()
        localize(maps, query, ratio, n_jobs=arguments.jobs)
        ours = clock() - start
        start = clock()
        for feature_map in few:
            exhaustive(feature_map, query / np.linalg.norm(query), ratio)
        plain = (clock() - start) * arguments.candidates / len(few)
        print(
            f"{arguments.candidates} candidates of {shape}: {ours:.2f} s with {arguments.jobs} "
            f"threads; the coarse search alone by slices {plain:.2f} s"
        )


if __name__ == "__main__":
    main()
