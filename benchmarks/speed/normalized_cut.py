"""Normalized Cut against scikit-learn's SpectralClustering."""

import warnings

import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.cluster import SpectralClustering
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from benchmarks.networks import CAFFE, SQUEEZENET
from benchmarks.registry import OURS, Case, UnavailableError, benchmark, data_folder
from skdeepenc.exceptions import ModelWarning
from skdeepenc.functional import normalized_cut as cut
from skdeepenc.functional._affinity import feature_affinity, weighted_coordinates

COUNTS = (5, 20)


@benchmark(ours="functional.normalized_cut", bars={"scikit-learn": 5}, rounds=3)
def normalized_cut(sizes=((64, 48), (32, 32)), n_images=16):
    """Maps into 5 and 20 clusters, from descriptors of 4 components.

    Maps are those of SqueezeNet on images of the Oxford subset where the data are there, else
    smooth noise. scikit-learn is called twice on the same affinity, ready-made; it has no
    regularisation, so its clusters differ. The agreement is the adjusted Rand index with a dense
    float64 solution of the same equations.
    """
    maps = maps_to_cut(n_images)
    for height, width in sizes:
        for affinity in ("exponential", "gaussian"):
            images = list(features_of(maps, height, width))
            ready = [
                feature_affinity(weighted_coordinates(points), affinity=affinity).astype(float)
                for points in images
            ]
            yield Case(
                f"{height} x {width}, {affinity}",
                {
                    OURS: lambda images=images, affinity=affinity: [
                        cut(points, COUNTS, affinity=affinity, random_state=0) for points in images
                    ],
                    "scikit-learn": lambda ready=ready: [peer(matrix) for matrix in ready],
                },
                units=dict.fromkeys((OURS, "scikit-learn"), len(images)),
                conclude=lambda labels, images=images, affinity=affinity: agreement(
                    labels[OURS], images, affinity
                ),
                bars={"scikit-learn": 10 if height * width > 2_000 else 5},
            )


def agreement(labels, images, affinity):
    """Compare partitions with those of the exact solver."""
    indices = []
    for found, points in zip(labels, images, strict=True):
        exact = cut(points, COUNTS, affinity=affinity, eigen_solver="exact")
        indices += [adjusted_rand_score(a, b) for a, b in zip(found.T, exact.T, strict=True)]
    return {"median Rand index": np.median(indices), "least Rand index": min(indices)}


def maps_to_cut(n_images):
    """Return maps of real images where there are any, else of smooth noise."""
    try:
        return network_maps(data_folder(), n_images)
    except UnavailableError:
        noise = np.random.default_rng(0).normal(size=(n_images, 66, 66, 16))
        return [np.maximum(gaussian_filter(image, (3, 3, 0)), 0) for image in noise]


def network_maps(data, n_images):
    """Return maps of at least 49 x 49 positions of images of the Oxford subset."""
    from skdeepenc.extraction import ActivationExtractor
    from skdeepenc.images import Pyramid

    paths = sorted((data / "images" / "oxford5k_subset" / "jpg").glob("*.jpg"))
    extractor = ActivationExtractor(
        str(data / SQUEEZENET),
        layers="fire9/concat",
        views=Pyramid(n_scales=1, base=800, aspect="keep"),
        preprocessing=CAFFE,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelWarning)
        maps = extractor.fit_transform(paths[:: len(paths) // n_images][:n_images])
    maps = [maps[image]["fire9/concat"][0] for image in range(n_images)]
    return [image.swapaxes(0, 1) if len(image) < image.shape[1] else image for image in maps]


def features_of(maps, height, width):
    """Yield the descriptors of the middle of each map, projected to 4 components."""
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
