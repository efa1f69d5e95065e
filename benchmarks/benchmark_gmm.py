"""Time a step of expectation maximisation against scikit-learn's, and measure its memory.

    python benchmarks/benchmark_gmm.py

32,000 descriptors of 128 values, float32, 256 Gaussians. Both start from the same mixture and take
turns in one run; each turn is a fit of several steps, and a step's time is that of a longer fit
less that of a shorter one, so that checks and starts, which differ, do not count.
"""

import argparse
import time
import tracemalloc
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from skdeepenc.functional import fit_diagonal_mixture, mixture_from_labels

N_DESCRIPTORS, N_CHANNELS, N_GAUSSIANS = 32_000, 128, 256
SHORT, LONG = 1, 6


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
    as_float32 = (np.asarray(part, dtype=np.float32) for part in start[:3])
    weights, means, covariances = as_float32
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


def seconds(function, *arguments):
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    descriptors, labels = sample(seed=0)
    start = mixture_from_labels(descriptors, labels)

    def ours(n_steps):
        fit_diagonal_mixture(descriptors, start, tol=0, max_iter=n_steps)

    def theirs(n_steps):
        peer(start, n_steps).fit(descriptors)

    steps = {"skdeepenc": [], "scikit-learn": []}
    for _ in range(arguments.rounds):
        for name, fit in zip(steps, (ours, theirs), strict=True):
            steps[name].append((seconds(fit, LONG) - seconds(fit, SHORT)) / (LONG - SHORT))
    for name, fit in zip(steps, (ours, theirs), strict=True):
        tracemalloc.start()
        fit(2)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        ratio = np.median(steps[name]) / np.median(steps["skdeepenc"])
        print(
            f"{name:13} {np.median(steps[name]) * 1e3:7.1f} ms a step ({ratio:.1f} x), "
            f"best {np.min(steps[name]) * 1e3:7.1f} ms, {peak / 1e6:7.1f} MB beyond the data"
        )


if __name__ == "__main__":
    main()
