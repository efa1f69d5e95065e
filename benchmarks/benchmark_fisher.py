"""Time Fisher vectors against scikit-image and, where its library is installed, VLFeat.

    python benchmarks/benchmark_fisher.py [--vlfeat libvl.so] [--separation 0.6 0.3 0.1]

One image of seven scales (4,410 descriptors of 128 values) under 256 Gaussians. The peers take
turns with us in one run, so that whatever else the processor does falls on all alike; median and
best times are printed, and their ratios. VLFeat is called through the C interface that cyvlfeat
wraps (libvl; Debian calls the package libvlfeat1). The less Gaussians overlap, the fewer
posteriors count, which both VLFeat and we make use of: how many do is printed for each separation
of the means. Ours includes what an encoder prepares once for all images. ``--clock cpu`` counts the
time of all threads, for busy machines; then set OMP_NUM_THREADS=1.
"""

import argparse
import ctypes
import ctypes.util
from functools import partial

import numpy as np
from clocks import CLOCKS, alternately
from skimage.feature import fisher_vector as skimage_fisher_vector
from sklearn.mixture import GaussianMixture

from skdeepenc.functional import fisher_vector, responsibilities

N_DESCRIPTORS, N_CHANNELS, N_GAUSSIANS = 4410, 128, 256
VL_TYPE_FLOAT = 1


def descriptors_and_mixture(seed, separation=0.6):
    """Return descriptors with a falling spectrum, as PCA gives them, and a mixture of them."""
    rng = np.random.default_rng(seed)
    spectrum = np.linspace(3, 0.5, N_CHANNELS)
    means = rng.standard_normal((N_GAUSSIANS, N_CHANNELS)) * spectrum * separation
    covariances = np.tile((spectrum * 0.8) ** 2, (N_GAUSSIANS, 1))
    weights = rng.dirichlet(np.full(N_GAUSSIANS, 20.0))
    noise = rng.standard_normal((N_DESCRIPTORS, N_CHANNELS)) * spectrum * 0.8
    descriptors = means[rng.choice(N_GAUSSIANS, N_DESCRIPTORS, p=weights)] + noise
    return descriptors.astype(np.float32), (means, covariances, weights)


def skimage_encoder(mixture):
    estimator = GaussianMixture(N_GAUSSIANS, covariance_type="diag")
    estimator.means_, estimator.covariances_, estimator.weights_ = mixture
    estimator.precisions_cholesky_ = 1 / np.sqrt(estimator.covariances_)
    return lambda descriptors: skimage_fisher_vector(descriptors, estimator)


def vlfeat_encoder(mixture, library):
    """Call vl_fisher_encode, without normalisation, as it comes (SIMD on, its own threads)."""
    vl = ctypes.CDLL(library)
    size = ctypes.c_ulonglong
    pointer = ctypes.POINTER(ctypes.c_float)
    shape_of_means, mixture_rest = [pointer, size, size], [pointer, pointer]
    vl.vl_fisher_encode.argtypes = [
        *(pointer, ctypes.c_uint32),
        *shape_of_means,
        *mixture_rest,
        *(pointer, size),
        ctypes.c_int,
    ]
    vl.vl_fisher_encode.restype = size
    means, covariances, weights = (np.ascontiguousarray(part, np.float32) for part in mixture)

    def encode(descriptors):
        vector = np.empty(2 * N_GAUSSIANS * N_CHANNELS, dtype=np.float32)
        arrays = (vector, means, covariances, weights, descriptors)
        out, mu, sigma, prior, data = (array.ctypes.data_as(pointer) for array in arrays)
        vl.vl_fisher_encode(
            out, VL_TYPE_FLOAT, mu, N_CHANNELS, N_GAUSSIANS, sigma, prior, data, len(descriptors), 0
        )
        return vector

    return encode


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vlfeat", default=ctypes.util.find_library("vl"), help="path of libvl")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--separation", type=float, nargs="+", default=[0.6])
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    arguments = parser.parse_args()
    clock = CLOCKS[arguments.clock]
    for separation in arguments.separation:
        descriptors, mixture = descriptors_and_mixture(0, separation)
        n_felt = (responsibilities(descriptors, *mixture) > 1e-7).sum(axis=1).mean()
        print(f"separation {separation}: {n_felt:.1f} posteriors of a descriptor are above 1e-7")
        encoders = {
            "skdeepenc": lambda descriptors, mixture=mixture: fisher_vector(descriptors, *mixture),
            "scikit-image": skimage_encoder(mixture),
        }
        if arguments.vlfeat:
            encoders["VLFeat"] = vlfeat_encoder(mixture, arguments.vlfeat)
        encode = {name: partial(encode, descriptors) for name, encode in encoders.items()}
        report(alternately(clock, encode, arguments.rounds))


def report(seconds):
    """Print the best and median time of each, and how often ours fits into theirs."""
    ours = np.median(seconds["skdeepenc"]), np.min(seconds["skdeepenc"])
    for name, times in seconds.items():
        median, best = np.median(times), np.min(times)
        print(
            f"{name:13} median {median * 1e3:7.1f} ms ({median / ours[0]:5.1f} x)   "
            f"best {best * 1e3:7.1f} ms ({best / ours[1]:5.1f} x)"
        )


if __name__ == "__main__":
    main()
