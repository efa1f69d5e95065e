"""A step of expectation maximisation against scikit-learn's."""

import time
import warnings
from functools import partial

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from benchmarks.registry import OURS, Case, benchmark
from benchmarks.turns import Took
from skdeepenc.functional import fit_diagonal_mixture, mixture_from_labels

N_DESCRIPTORS, N_CHANNELS, N_GAUSSIANS = 32_000, 128, 256
SHORT, LONG = 1, 6


@benchmark(ours="functional.fit_diagonal_mixture", bars={"scikit-learn": 2.5})
def mixture():
    """One step over 32,000 descriptors of 128 values, float32, with 256 Gaussians.

    All start from the same mixture. A step's time is that of a longer fit less that of a shorter
    one, so that checks and starts, which differ, do not count.
    """
    descriptors, labels = sample(seed=0)
    start = mixture_from_labels(descriptors, labels)

    def ours(n_steps):
        fit_diagonal_mixture(descriptors, start, tol=0, max_iter=n_steps)

    def theirs(n_steps):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            peer(start, n_steps).fit(descriptors)

    works = {OURS: partial(one_step, ours), "scikit-learn": partial(one_step, theirs)}
    yield Case("32,000 x 128, 256 Gaussians", works, memory=True)


def one_step(fit):
    """Return the seconds of one step of a fit."""
    start = time.perf_counter()
    fit(SHORT)
    middle = time.perf_counter()
    fit(LONG)
    end = time.perf_counter()
    return Took((end - middle - (middle - start)) / (LONG - SHORT))


def sample(seed):
    """Return descriptors around the centres of as many clusters as there are Gaussians."""
    rng = np.random.default_rng(seed)
    spectrum = np.linspace(3, 0.5, N_CHANNELS)
    centres = rng.standard_normal((N_GAUSSIANS, N_CHANNELS)) * spectrum
    labels = rng.permutation(np.arange(N_DESCRIPTORS) % N_GAUSSIANS)
    noise = rng.standard_normal((N_DESCRIPTORS, N_CHANNELS)) * spectrum
    return (centres[labels] + noise).astype(np.float32), labels


def peer(start, n_steps):
    """Return scikit-learn's mixture, in float32, that starts from `start`."""
    weights, means, covariances = (np.asarray(part, dtype=np.float32) for part in start[:3])
    return GaussianMixture(
        N_GAUSSIANS,
        covariance_type="diag",
        tol=0,
        max_iter=n_steps,
        init_params="random",
        weights_init=weights,
        means_init=means,
        precisions_init=1 / covariances,
        random_state=0,
    )
