"""Time soft VLAD against a plain loop over descriptors and against VLFeat, in turns in one run.

Every image has 121 descriptors of 500 values, k = 100 words, r = 5 neighbours; the result is square
rooted and L2-normalised. VLFeat takes ready, dense assignments: it is given ours, so its time is
that of `soft_assign` and of its own ``vl_vlad_encode``. It is found through cyvlfeat (``pip install
numpy cython && pip install --no-build-isolation cyvlfeat``), or as the shared library ``libvl``
(Debian: libvlfeat-dev). On a busy machine set OMP_NUM_THREADS=1 and ``--clock cpu``.
"""

import argparse
import ctypes
import ctypes.util
from functools import partial

import numpy as np
from clocks import CLOCKS, alternately
from threadpoolctl import threadpool_limits

from skdeepenc.arrays.tiles import tiles_by_size
from skdeepenc.functional import l2_normalize, power_normalize, soft_assign, vlad_of_segments

N_DESCRIPTORS, N_COMPONENTS, N_CLUSTERS, N_NEIGHBORS, SIGMA = 121, 500, 100, 5, 10.0
VL_TYPE_FLOAT, VL_VLAD_FLAG_SQUARE_ROOT = 1, 2


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
    indices, weights = soft_assign(image, centers, N_NEIGHBORS, SIGMA)
    dense = np.zeros((len(image), len(centers)), np.float32)
    np.put_along_axis(dense, indices, weights, axis=1)
    return dense


def find_vlfeat():
    """Return (name, function) of VLFeat's encoder, or None where it is not installed."""
    try:
        from cyvlfeat.vlad import vlad as encode
    except ImportError:
        pass
    else:
        return "cyvlfeat", lambda image, centers, assignment: encode(
            image, centers, assignment, square_root=True
        )
    path = ctypes.util.find_library("vl")
    if path is None:
        return None
    library = ctypes.CDLL(path)

    def encode_by_library(image, centers, assignment):
        vector = np.empty(centers.size, np.float32)
        library.vl_vlad_encode(
            vector.ctypes.data_as(ctypes.c_void_p),
            VL_TYPE_FLOAT,
            centers.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_ulonglong(centers.shape[1]),
            ctypes.c_ulonglong(centers.shape[0]),
            image.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_ulonglong(len(image)),
            assignment.ctypes.data_as(ctypes.c_void_p),
            VL_VLAD_FLAG_SQUARE_ROOT,
        )
        return vector

    return "libvl", encode_by_library


def peers():
    functions = {"plain loop": loop_over_descriptors}
    vlfeat = find_vlfeat()
    if vlfeat is None:
        print("VLFeat is not installed (cyvlfeat, or Debian's libvlfeat-dev): not compared")
        return functions
    name, encode = vlfeat
    functions[f"VLFeat ({name})"] = lambda images, centers: np.stack(
        [encode(image, centers, dense_assignment(image, centers)) for image in images]
    )
    return functions


def time_alternately(functions, arguments, repeats, clock):
    """Return the median seconds of each function on its arguments."""
    called = {name: partial(function, *arguments[name]) for name, function in functions.items()}
    seconds = alternately(clock, called, repeats + 1)
    return {name: np.median(times[1:]) for name, times in seconds.items()}  # the first warms up


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, help="of the matrix products; all by default")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    options = parser.parse_args()

    rng = np.random.default_rng(0)
    shape = (options.images, N_DESCRIPTORS, N_COMPONENTS)
    images = rng.standard_normal(shape, dtype=np.float32)
    centers = rng.standard_normal((N_CLUSTERS, N_COMPONENTS), dtype=np.float32)
    few = images[:: max(options.images // 20, 1)]  # the plain loop takes long
    functions = {"skdeepenc": ours, **peers()}
    for name, function in functions.items():
        difference = np.abs(function(few, centers) - ours(few, centers)).max()
        print(f"{name}: largest difference {difference:.1e}")
        assert difference < 1e-4

    arguments = {name: (few if "loop" in name else images, centers) for name in functions}
    clock = CLOCKS[options.clock]
    with threadpool_limits(options.threads):
        seconds = time_alternately(functions, arguments, options.repeats, clock)
    per_image = {name: time / len(arguments[name][0]) for name, time in seconds.items()}
    for name, time_of_one in per_image.items():
        ratio = time_of_one / per_image["skdeepenc"]
        print(f"{name:20s} {1e6 * time_of_one:10.0f} us an image   x {ratio:6.2f}")


if __name__ == "__main__":
    main()
