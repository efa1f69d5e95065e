"""Time our principal components against scikit-learn's solvers, in turns in one run.

Two shapes: a sample of descriptors (more samples than channels: the covariance), and VLAD vectors
of some images (fewer: the Gram matrix). On a busy machine set OMP_NUM_THREADS=1 and
``--clock cpu``.
"""

import argparse

import numpy as np
from clocks import CLOCKS
from sklearn.decomposition import PCA

from skdeepenc.encoders.vocabulary import fit_pca

SHAPES = [(10_000, 2_048, 256), (500, 50_000, 256)]
SOLVERS = ["full", "covariance_eigh", "randomized", "arpack"]


def correlated_sample(n_samples, n_channels, rng):
    """Return samples with a spectrum that falls as that of activations does."""
    rank = 512
    codes = rng.standard_normal((n_samples, rank), dtype=np.float32)
    codes *= np.arange(1, rank + 1, dtype=np.float32) ** -0.5
    sample = codes @ rng.standard_normal((rank, n_channels), dtype=np.float32)
    sample += 0.1 * rng.standard_normal(sample.shape, dtype=np.float32)
    return sample + rng.random(n_channels, dtype=np.float32)


def functions(shape):
    """Return what is timed, by name; solvers that cannot take the shape are left out."""
    n_samples, n_channels, n_components = shape
    timed = {"skdeepenc": lambda sample: fit_pca(sample, n_components)}
    for solver in SOLVERS:
        if solver != "covariance_eigh" or n_samples > n_channels:
            timed[f"sklearn {solver}"] = PCA(n_components, svd_solver=solver, random_state=0).fit
    return timed


def time_alternately(timed, sample, repeats, clock):
    """Return the median seconds of each function, called in turns, and the variance it explains."""
    seconds, explained = {name: [] for name in timed}, {}
    for _ in range(repeats):
        for name, function in timed.items():
            start = clock()
            explained[name] = function(sample).explained_variance_.sum()
            seconds[name].append(clock() - start)
    return {name: np.median(times) for name, times in seconds.items()}, explained


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    options = parser.parse_args()
    clock = CLOCKS[options.clock]
    for shape in SHAPES:
        print("{:,} samples of {:,}, {} components".format(*shape))
        sample = correlated_sample(*shape[:2], np.random.default_rng(0))
        seconds, explained = time_alternately(functions(shape), sample, options.repeats, clock)
        for name, own in seconds.items():
            ratio, share = own / seconds["skdeepenc"], explained[name] / explained["sklearn full"]
            print(f"  {name:24s} {own:7.2f} s   x {ratio:5.2f}   variance {share:.6f} of the best")


if __name__ == "__main__":
    main()
