"""The localization of a query in candidates against a search by slices and maxima."""

import numpy as np

from benchmarks.registry import OURS, Case, benchmark
from skdeepenc.maps import FeatureMaps
from skdeepenc.retrieval import localize
from skdeepenc.retrieval.localization import _coarse_boxes

BOX, RATIO = (slice(3, 12), slice(4, 16)), 12 / 9


@benchmark(ours="retrieval.localize", rounds=3)
def localization(shape=(20, 27, 512), n_candidates=1000, n_jobs=2):
    """One query in 1,000 maps in memory, integral images included.

    All of it should take at most a second. The default is the size of SqueezeNet's last maps on
    images of 320 x 427 pixels. The peer searches the same coarse boxes of a few candidates, with
    true maxima.
    """
    rng = np.random.default_rng(0)
    few = np.maximum(rng.normal(size=(20, *shape)), 0).astype(np.float32)
    maps = FeatureMaps.from_arrays(few)[np.arange(n_candidates) % len(few)]
    query = few[(0, *BOX)].max(axis=(0, 1))
    works = {
        OURS: lambda: localize(maps, query, RATIO, n_jobs=n_jobs),
        "slices and maxima": lambda: [
            exhaustive(feature_map, query / np.linalg.norm(query), RATIO) for feature_map in few
        ],
    }
    units = {OURS: n_candidates, "slices and maxima": len(few)}
    yield Case(f"{n_candidates} maps of {shape}", works, units=units)


def exhaustive(feature_map, query, ratio):
    """Search the coarse boxes with true maxima, one after the other."""
    similarities = []
    for y0, x0, y1, x1 in _coarse_boxes(*feature_map.shape[:2], ratio, 3, 1.1):
        maxima = feature_map[y0:y1, x0:x1].max(axis=(0, 1))
        similarities.append(maxima @ query / np.linalg.norm(maxima))
    return max(similarities)
