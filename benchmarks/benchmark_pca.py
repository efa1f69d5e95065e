"""Time our principal components against scikit-learn's solvers, in turns in one run.

Two shapes: a sample of descriptors (more samples than channels: the covariance), and VLAD vectors
of some images (fewer: the Gram matrix). Or one of your own, such as few components of many channels
(walks over the sample), against the solver that scikit-learn takes by default:

    python benchmarks/benchmark_pca.py --samples 100000 --channels 4096 --components 128 \\
        --solvers auto covariance_eigh

Variance is that of the first samples on the components found. On a busy machine set
OMP_NUM_THREADS=1 and ``--clock cpu``.
"""

import argparse

import numpy as np
from clocks import CLOCKS
from sklearn.decomposition import PCA
from sklearn.utils import gen_batches

from skdeepenc.encoders.vocabulary import fit_pca

SHAPES = [(10_000, 2_048, 256), (500, 50_000, 256)]
SOLVERS = ["auto", "full", "covariance_eigh", "randomized", "arpack"]
N_MEASURED = 20_000


def correlated_sample(n_samples, n_channels, rng):
    """Return samples with a spectrum that falls as that of activations does.

    Made block by block: 100,000 samples of 4,096 values take 1.6 GB once.
    """
    rank = 512
    basis = rng.standard_normal((rank, n_channels), dtype=np.float32)
    mean = rng.random(n_channels, dtype=np.float32)
    sample = np.empty((n_samples, n_channels), np.float32)
    for rows in gen_batches(n_samples, 4096):
        block = sample[rows]
        codes = rng.standard_normal((len(block), rank), dtype=np.float32)
        codes *= np.arange(1, rank + 1, dtype=np.float32) ** -0.5
        block[:] = 0.1 * rng.standard_normal(block.shape, dtype=np.float32) + mean
        block += codes @ basis
    return sample


def functions(shape, solvers):
    """Return what is timed, by name; solvers that cannot take the shape are left out."""
    n_samples, n_channels, n_components = shape
    timed = {"skdeepenc": lambda sample: fit_pca(sample, n_components)}
    for solver in solvers:
        if solver != "covariance_eigh" or n_samples > n_channels:
            timed[f"sklearn {solver}"] = PCA(n_components, svd_solver=solver, random_state=0).fit
    return timed


def time_alternately(timed, sample, repeats, clock):
    """Return the median seconds of each function, called in turns, and the variance it keeps."""
    seconds, kept = {name: [] for name in timed}, {}
    for _ in range(repeats):
        for name, function in timed.items():
            start = clock()
            pca = function(sample)
            seconds[name].append(clock() - start)
            measured = pca.transform(sample[:N_MEASURED])
            kept[name] = np.square(measured, dtype=np.float64).sum()
    return {name: np.median(times) for name, times in seconds.items()}, kept


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--samples", type=int, help="with channels and components: the shape")
    parser.add_argument("--channels", type=int)
    parser.add_argument("--components", type=int)
    parser.add_argument("--solvers", choices=SOLVERS, nargs="+", default=SOLVERS)
    options = parser.parse_args()
    own = options.samples, options.channels, options.components
    clock = CLOCKS[options.clock]
    for shape in [own] if all(own) else SHAPES:
        print("{:,} samples of {:,}, {} components".format(*shape))
        sample = correlated_sample(*shape[:2], np.random.default_rng(0))
        seconds, kept = time_alternately(
            functions(shape, options.solvers), sample, options.repeats, clock
        )
        for name, taken in seconds.items():
            ratio, share = taken / seconds["skdeepenc"], kept[name] / max(kept.values())
            print(
                f"  {name:24s} {taken:7.2f} s   x {ratio:5.2f}   variance {share:.6f} of the best"
            )


if __name__ == "__main__":
    main()
