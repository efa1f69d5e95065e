"""Principal components against scikit-learn's solvers."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.utils import gen_batches

from benchmarks.registry import OURS, Case, benchmark
from skdeepenc.functional.pca import fit_pca

N_MEASURED = 20_000


@benchmark(ours="fit_pca", bars={"sklearn auto": 3, "sklearn covariance_eigh": 2.5}, rounds=3)
def pca(
    shapes=((10_000, 2_048, 256), (500, 50_000, 256)),
    solvers=("auto", "full", "covariance_eigh", "randomized", "arpack"),
):
    """Few components of many samples (covariance), and of few (Gram matrix).

    A shape is samples, channels, components; (100_000, 4_096, 128) takes passes over the sample.
    Variance is that of the first samples on the components found, by that of the best solver.
    """
    for n_samples, n_channels, n_components in shapes:
        sample = correlated_sample(n_samples, n_channels, np.random.default_rng(0))
        works = {OURS: lambda X=sample, n=n_components: fit_pca(X, n)}
        for solver in solvers:
            if solver != "covariance_eigh" or n_samples > n_channels:
                model = PCA(n_components, svd_solver=solver, random_state=0)
                works[f"sklearn {solver}"] = lambda X=sample, model=model: model.fit(X)
        yield Case(
            f"{n_samples:,} x {n_channels:,}, {n_components} components",
            works,
            conclude=lambda fitted, X=sample: shares_of_variance(fitted, X[:N_MEASURED]),
        )


def shares_of_variance(fitted, sample):
    """Return the variance that each keeps, by that of the best."""
    kept = {
        name: np.square(model.transform(sample), dtype=np.float64).sum()
        for name, model in fitted.items()
    }
    return {f"variance {name}": value / max(kept.values()) for name, value in kept.items()}


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
