"""Soft VLAD against a plain loop over descriptors and against VLFeat."""

from functools import partial

import numpy as np

from benchmarks.registry import OURS, Case, benchmark
from benchmarks.speed import vlfeat
from skdeepenc.arrays.tiles import tiles_by_size
from skdeepenc.functional import l2_normalize, power_normalize, soft_assign, vlad_of_segments

N_DESCRIPTORS, N_COMPONENTS, N_CLUSTERS, N_NEIGHBORS, SIGMA = 121, 500, 100, 5, 10.0


@benchmark(ours="functional.vlad_of_segments", bars={"plain loop": 10, "VLFeat": 1})
def soft_vlad(n_images=300):
    """Images of 121 descriptors of 500 values, 100 words, 5 neighbours; rooted and L2-normalised.

    VLFeat takes ready, dense assignments. It is given ours, so its time is that of `soft_assign`
    and of its own encoder. The plain loop is given a twentieth of the images.
    """
    rng = np.random.default_rng(0)
    shape = (n_images, N_DESCRIPTORS, N_COMPONENTS)
    images = rng.standard_normal(shape, dtype=np.float32)
    centers = rng.standard_normal((N_CLUSTERS, N_COMPONENTS), dtype=np.float32)
    step = max(n_images // 20, 1)
    few = images[::step]
    works = {
        OURS: partial(ours, images, centers),
        "plain loop": partial(loop_over_descriptors, few, centers),
    }
    vl = vlfeat.library()
    if vl is not None:
        encode = vlfeat.vlad_encoder(vl, centers)
        works["VLFeat"] = lambda: np.stack(
            [encode(image, dense_assignment(image, centers)) for image in images]
        )
    yield Case(
        f"{n_images} images",
        works,
        units={name: len(few) if name == "plain loop" else n_images for name in works},
        conclude=lambda vectors: agreement(vectors, step),
    )


def agreement(vectors, step):
    """Compare with every peer; the plain loop has encoded each `step`-th image."""
    differences = {}
    for name, theirs in vectors.items():
        mine = vectors[OURS][::step] if name == "plain loop" else vectors[OURS]
        differences[f"difference {name}"] = np.abs(mine - theirs).max()
    assert max(differences.values()) < 1e-4, differences
    return differences


def ours(images, centers):
    """Encode all images in tiles of about 512 descriptors, as the encoder does."""
    vectors = np.empty((len(images), centers.size), np.float32)
    for some in tiles_by_size(np.full(len(images), images.shape[1]), 512):
        tile = images[some].reshape(-1, images.shape[2])
        offsets = np.arange(0, len(tile) + 1, images.shape[1])
        assignment = soft_assign(tile, centers, N_NEIGHBORS, SIGMA)
        residuals = vlad_of_segments(tile, offsets, centers, *assignment)
        vectors[some] = l2_normalize(power_normalize(residuals.reshape(len(residuals), -1)))
    return vectors


def loop_over_descriptors(images, centers):
    """Encode as the paper reads."""
    vectors = np.zeros((len(images), *centers.shape), np.float32)
    for image, vector in zip(images, vectors, strict=True):
        for descriptor in image:
            residuals = descriptor - centers
            distances = (residuals**2).sum(axis=1)
            nearest = np.argsort(distances)[:N_NEIGHBORS]
            kernel = np.exp((distances[nearest[0]] - distances[nearest]) / (2 * SIGMA**2))
            for center, weight in zip(nearest, kernel / kernel.sum(), strict=True):
                vector[center] += weight * residuals[center]
    rooted = np.sign(vectors) * np.sqrt(np.abs(vectors))
    return rooted.reshape(len(images), -1) / np.linalg.norm(rooted, axis=(1, 2))[:, None]


def dense_assignment(image, centers):
    """Return the soft assignment of an image as VLFeat takes it."""
    indices, weights = soft_assign(image, centers, N_NEIGHBORS, SIGMA)
    dense = np.zeros((len(image), len(centers)), np.float32)
    np.put_along_axis(dense, indices, weights, axis=1)
    return dense
