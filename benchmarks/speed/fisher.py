"""Fisher vectors against scikit-image and VLFeat."""

from functools import partial
from importlib.util import find_spec

import numpy as np
from sklearn.mixture import GaussianMixture

from benchmarks.registry import OURS, Case, benchmark
from benchmarks.speed import vlfeat
from skdeepenc.functional import fisher_vector, responsibilities

N_DESCRIPTORS, N_CHANNELS, N_GAUSSIANS = 4410, 128, 256
# What no sum in float32 feels.
_NEGLIGIBLE = 1e-7


@benchmark(ours="functional.fisher_vector", bars={"scikit-image": 5, "VLFeat": 4}, rounds=15)
def fisher(separations=(0.6,)):
    """One image of seven scales, 4,410 descriptors of 128 values, under 256 Gaussians.

    The less Gaussians overlap, the fewer posteriors count, of which VLFeat and we make use. Ours
    includes what an encoder prepares once for all images.
    """
    vl = vlfeat.library()
    for separation in separations:
        descriptors, mixture = descriptors_and_mixture(0, separation)
        encoders = {OURS: partial(fisher_vector, descriptors, *mixture)}
        if find_spec("skimage") is not None:
            encoders["scikit-image"] = skimage_encoder(descriptors, mixture)
        if vl is not None:
            encoders["VLFeat"] = partial(vlfeat.fisher_encoder(vl, mixture), descriptors)
        n_felt = (responsibilities(descriptors, *mixture) > _NEGLIGIBLE).sum(axis=1).mean()
        yield Case(f"separation {separation}", encoders, facts={"posteriors that count": n_felt})


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


def skimage_encoder(descriptors, mixture):
    """Return what scikit-image does with the mixture in the form that it takes."""
    from skimage.feature import fisher_vector as skimage_fisher_vector

    estimator = GaussianMixture(N_GAUSSIANS, covariance_type="diag")
    estimator.means_, estimator.covariances_, estimator.weights_ = mixture
    estimator.precisions_cholesky_ = 1 / np.sqrt(estimator.covariances_)
    return partial(skimage_fisher_vector, descriptors, estimator)
