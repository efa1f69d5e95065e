"""Time Normalized Cut into 5 and 20 clusters against scikit-learn's SpectralClustering.

    python benchmarks/benchmark_ncut.py [--sizes 64x48 32x32] [--clock cpu] [--pictures 16]

Maps are those of SqueezeNet (fire9) on pictures of the Oxford subset where the environment variable
SKDEEPENC_DATA names the data, else smooth noise. Ours starts from descriptors (4 components) and
makes both partitions; scikit-learn is called twice on the same affinity, ready-made. They take
turns. The agreement is the adjusted Rand index with a dense float64 reference of Shi's code
(`eigen_solver="exact"` and ours alike); scikit-learn has no regularisation, so its clusters differ.
"""

import argparse
import os
import warnings
from pathlib import Path

import numpy as np
from clocks import CLOCKS, timed
from networks import CAFFE, SQUEEZENET
from scipy.ndimage import gaussian_filter
from sklearn.cluster import SpectralClustering
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from skdeepenc.exceptions import ModelWarning
from skdeepenc.functional import normalized_cut
from skdeepenc.functional.affinity import feature_affinity, weighted_coordinates

COUNTS = (5, 20)


def network_maps(n_pictures):
    """Return maps of at least 49 x 49 positions of pictures of the Oxford subset."""
    from skdeepenc.extraction import ActivationExtractor
    from skdeepenc.images import Pyramid

    data = Path(os.environ["SKDEEPENC_DATA"])
    pictures = sorted((data / "images" / "oxford5k_subset" / "jpg").glob("*.jpg"))
    extractor = ActivationExtractor(
        str(data / SQUEEZENET),
        layers="fire9/concat",
        views=Pyramid(n_scales=1, base=800, aspect="keep"),
        preprocessing=CAFFE,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelWarning)
        maps = extractor.fit_transform(pictures[:: len(pictures) // n_pictures][:n_pictures])
    maps = [maps[image]["fire9/concat"][0] for image in range(n_pictures)]
    return [image.swapaxes(0, 1) if len(image) < image.shape[1] else image for image in maps]


def noise_maps(n_pictures):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(n_pictures, 66, 66, 16))
    return [np.maximum(gaussian_filter(image, (3, 3, 0)), 0) for image in noise]


def features_of(maps, height, width):
    """Return the descriptors of the middle of each map, projected to 4 components."""
    pca = PCA(4).fit(np.concatenate([image.reshape(-1, image.shape[2])[::7] for image in maps]))
    for image in maps:
        top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
        window = image[top : top + height, left : left + width]
        yield pca.transform(window.reshape(-1, image.shape[2])).astype(np.float32)


def peer(affinity):
    """Partition twice; a failure of its discretisation is printed, and counts as its time."""
    labels = []
    for count in COUNTS:
        model = SpectralClustering(
            count, affinity="precomputed", assign_labels="discretize", random_state=0
        )
        try:
            labels.append(model.fit_predict(affinity))
        except np.linalg.LinAlgError as error:
            print(f"    scikit-learn, {count} clusters: {error}")
    return labels


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", nargs="+", default=["64x48", "32x32"])
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    clock = CLOCKS[arguments.clock]
    load = network_maps if "SKDEEPENC_DATA" in os.environ else noise_maps
    maps = load(arguments.pictures)
    for size in arguments.sizes:
        height, width = map(int, size.split("x"))
        for affinity in ("exponential", "gaussian"):
            features = list(features_of(maps, height, width))
            compare(features, size, affinity, arguments.repeats, clock)


def compare(features, size, affinity, repeats, clock):
    ours, theirs, agreement = [], [], []
    for points in features:
        ready = feature_affinity(weighted_coordinates(points), affinity=affinity)
        ready = ready.astype(np.float64)
        for _ in range(repeats):
            seconds, labels = timed(
                clock,
                lambda points=points: normalized_cut(
                    points, COUNTS, affinity=affinity, random_state=0
                ),
            )
            ours.append(seconds)
            theirs.append(timed(clock, lambda ready=ready: peer(ready))[0])
        exact = normalized_cut(points, COUNTS, affinity=affinity, eigen_solver="exact")
        agreement += [adjusted_rand_score(a, b) for a, b in zip(labels.T, exact.T, strict=True)]
    best = np.min(ours), np.min(theirs)
    middle = np.median(ours), np.median(theirs)
    print(
        f"{size} {affinity}: ours {1000 * middle[0]:.0f} ms (best {1000 * best[0]:.0f}), "
        f"scikit-learn {1000 * middle[1]:.0f} ms (best {1000 * best[1]:.0f}), "
        f"ratio {np.median(np.divide(theirs, ours)):.1f}; adjusted Rand index with exact: "
        f"median {np.median(agreement):.3f}, least {min(agreement):.3f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
