"""Principal components: the directions in which descriptors vary most.

With the mean m of a sample and the leading eigenvectors w_k of its covariance, in the order of
their eigenvalues l_k,

    y_k = w_k . (x - m),   whitened  y_k / sqrt(l_k).

Every encoder learns its projections by `fit_pca` and applies them by `project`.

The solvers are chosen by measurement. Where there are more samples than channels, the eigenvectors
of a covariance that is summed up block by block take a third of the time of scikit-learn's solvers
and no second copy of the sample; where there are fewer, those of the Gram matrix take a seventh.
Few components of many channels come from a few passes over the sample, without the covariance.
"""

import numpy as np
from scipy.linalg import eigh, qr
from sklearn.decomposition import PCA

from skdeepenc._typing import Floats, Integers, RandomState
from skdeepenc.arrays.segments import matmul_by_segment
from skdeepenc.arrays.threads import for_each
from skdeepenc.arrays.tiles import tiles
from skdeepenc.functional.normalize import l2_normalize
from skdeepenc.functional.samples import check_sample, unit_of

__all__ = ["fit_pca", "literal_components", "project", "project_to_unit", "reduce_sample"]

# Rows (or columns) of a block: the block and what is made of it stay in the processor's cache.
_BLOCK_SIZE = 2048
_PASS_BLOCK_SIZE = 512  # of products with few vectors, which wait for memory

# Below this part of at least so many channels, components are found without the covariance, which
# costs as much as D / (4 n_components) passes over the sample and its eigenvectors more.
_FEW_COMPONENTS, _MANY_CHANNELS = 1 / 16, 1024
_MOST_PASSES = 6

# The passes end when one has gained no larger part of the variance than this: the next would gain
# six to fifteen times less, so 0.9999 of what could be kept is.
_SMALL_GAIN = 5e-4


def literal_components(sample, n_components):
    """Return the mean, the eigenvectors as rows and the eigenvalues, as the equation reads."""
    mean = sample.mean(axis=0)
    covariance = (sample - mean).T @ (sample - mean) / (len(sample) - 1)
    variances, vectors = np.linalg.eigh(covariance)
    return mean, vectors.T[::-1][:n_components], variances[::-1][:n_components]


def project(vectors: Floats, pca: PCA, offsets: Integers | None = None) -> Floats:
    """Return the components of vectors.

    Parameters
    ----------
    vectors : ndarray of shape (n, D)
        Descriptors, or whatever else was projected in the fit; float32 or float64.
    pca : sklearn.decomposition.PCA
        What `fit_pca` returned.
    offsets : ndarray of int of shape (n_images + 1,) or None, default=None
        Where each image starts. One product over all rows would round a row differently in other
        company; with offsets, no image's components depend on the others.

    Returns
    -------
    ndarray of shape (n, n_components)
        The components, whitened if the PCA whitens, in the float type of `vectors`.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional import fit_pca, project
    >>> sample = np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0]])
    >>> project(sample, fit_pca(sample, 1)).ravel()
    array([-2.,  0.,  2.])
    """
    directions = pca.components_.T
    if pca.whiten:
        deviations = np.sqrt(pca.explained_variance_)
        directions = directions * np.divide(
            1, deviations, out=np.zeros_like(deviations), where=deviations > 0
        )
    directions = directions.astype(vectors.dtype, copy=False)
    if offsets is None:
        components = vectors @ directions
    else:
        components = matmul_by_segment(vectors, offsets, directions)
    components -= pca.mean_.astype(vectors.dtype, copy=False) @ directions
    return components


def project_to_unit(vectors, pca, offsets=None):
    """Project vectors and bring them to unit length; vectors of zeros stay zero.

    What nothing responds to says nothing: it must not become the opposite of the mean.
    """
    return l2_normalize(project(vectors, pca, offsets)) * vectors.any(axis=1, keepdims=True)


def fit_pca(
    sample: Floats,
    n_components: int | None = None,
    *,
    whiten: bool = False,
    random_state: RandomState = None,
) -> PCA:
    """Fit principal components in the float type of the sample.

    Components without variance, such as the last of as many components as samples, are zero: the
    noise that another solver would put there grows without bound under whitening.

    Parameters
    ----------
    sample : ndarray of shape (n_samples, D)
        The descriptors, float32 or float64. They are not changed.
    n_components : int or None, default=None
        Number of components, clipped to what n_samples and D allow; None for all of those.
    whiten : bool, default=False
        Whether `transform` brings every component to unit variance.
    random_state : int, RandomState or None, default=None
        Handed to the PCA that is returned; the solvers here draw nothing at random.

    Returns
    -------
    sklearn.decomposition.PCA
        As if fitted by scikit-learn.

    Raises
    ------
    FeatureMapsError
        If the sample is empty.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional.pca import fit_pca
    >>> pca = fit_pca(np.random.RandomState(0).rand(100, 8), n_components=3)
    >>> pca.transform(np.ones((2, 8))).shape
    (2, 3)
    """
    check_sample(sample)
    n_samples, n_channels = sample.shape
    most = min(n_samples, n_channels)
    n_components = most if n_components is None else min(n_components, most)
    mean = sample.mean(axis=0, dtype=np.float64).astype(sample.dtype)
    solve = _choose_solver(n_samples, n_channels, n_components)
    variances, components, total_variance = solve(sample, mean, n_components)

    pca = PCA(n_components, whiten=whiten, random_state=random_state)
    pca.n_features_in_ = n_channels
    pca.n_samples_, pca.n_components_ = n_samples, n_components
    pca.mean_, pca.components_ = mean, components
    pca.explained_variance_ = variances
    pca.explained_variance_ratio_ = variances / (total_variance or 1)
    pca.singular_values_ = np.sqrt(variances * max(n_samples - 1, 1))
    rest = max(total_variance - variances.sum(), 0)
    pca.noise_variance_ = rest / (most - n_components) if most > n_components else 0.0
    return pca


def reduce_sample(sample, n_components, random_state=None):
    """Return principal components and those of the sample, whatever size its values have.

    Where squares of the values would be lost, components are in a larger unit: the PCA's vectors
    are as much longer. The sample may be overwritten.
    """
    unit = unit_of(sample)
    if unit != 1:
        sample *= 1 / unit
    pca = fit_pca(sample, n_components, random_state=random_state)
    reduced = project(sample, pca)
    pca.mean_ *= unit
    pca.components_ *= 1 / unit
    return pca, reduced


def _choose_solver(n_samples, n_channels, n_components):
    if n_samples < n_channels:
        return _solve_gram
    if n_channels >= _MANY_CHANNELS and n_components <= _FEW_COMPONENTS * n_channels:
        return _solve_krylov
    return _solve_covariance


def _solve_covariance(sample, mean, n_components):
    n_samples, n_channels = sample.shape
    covariance = np.zeros((n_channels, n_channels), dtype=sample.dtype)
    for rows in tiles(n_samples, _BLOCK_SIZE):
        block = sample[rows] - mean
        covariance += block.T @ block
    covariance /= max(n_samples - 1, 1)
    total_variance = np.trace(covariance)
    variances, vectors = _leading_eigenvectors(covariance, n_components)
    return variances, fix_signs(vectors.T * (variances > 0)[:, None]), total_variance


def _solve_gram(sample, mean, n_components):
    n_samples, n_channels = sample.shape
    blocks = list(tiles(n_channels, _BLOCK_SIZE))
    gram = np.zeros((n_samples, n_samples), dtype=sample.dtype)
    for columns in blocks:
        block = sample[:, columns] - mean[columns]
        gram += block @ block.T
    gram /= max(n_samples - 1, 1)
    total_variance = np.trace(gram)
    variances, vectors = _leading_eigenvectors(gram, n_components)
    lengths = np.sqrt(variances * max(n_samples - 1, 1))
    vectors *= np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    components = np.empty((n_components, n_channels), dtype=sample.dtype)
    for columns in blocks:
        components[:, columns] = vectors.T @ (sample[:, columns] - mean[columns])
    return variances, fix_signs(components), total_variance


def _solve_krylov(sample, mean, n_components):
    """Find the leading eigenvectors in a block Krylov space of the covariance C.

    Each pass over the sample multiplies a block of vectors, Q, with C. The best combinations of all
    blocks so far gain variance with each, by a ratio that falls. The first block are the components
    of some samples. Musco and Musco, "Randomized block Krylov methods for stronger and faster
    approximate singular value decomposition", NeurIPS 2015.
    """
    some = sample[:: max(len(sample) // (8 * n_components), 1)]
    block = _solve_gram(some, mean, n_components)[1].T
    basis = images = np.empty((len(mean), 0), sample.dtype)
    kept = 0.0
    for _ in range(_MOST_PASSES):
        block = _orthonormal_to(basis, block)
        image, total_variance = _multiply_covariance(sample, mean, block)
        basis, images = np.hstack([basis, block]), np.hstack([images, image])
        variances, mixing = _leading_eigenvectors(basis.T @ images, n_components)
        before, kept = kept, variances.sum(dtype=np.float64)
        if kept - before <= _SMALL_GAIN * kept:
            components = (basis @ mixing).T * (variances > 0)[:, None]
            return variances, fix_signs(components), total_variance
        block = image
    return _solve_covariance(sample, mean, n_components)


def _multiply_covariance(sample, mean, vectors):
    """Return the covariance times vectors, and its trace, in one pass over the sample."""

    def multiply(rows):
        block = sample[rows] - mean
        return block.T @ (block @ vectors), float(np.vdot(block, block))

    product, energies = np.zeros(vectors.shape, sample.dtype), []

    def add(block):
        np.add(product, block[0], out=product)
        energies.append(block[1])

    for_each(multiply, tiles(len(sample), _PASS_BLOCK_SIZE), add)
    degrees = max(len(sample) - 1, 1)
    return product / degrees, sample.dtype.type(sum(energies) / degrees)


def _orthonormal_to(basis, block):
    """Return an orthonormal basis of what a block adds to one, and of anything if that is less."""
    joined = np.hstack([basis, block])
    return qr(joined, mode="economic", check_finite=False)[0][:, basis.shape[1] :]


def _leading_eigenvectors(matrix, n_components):
    """Return the largest eigenvalues, in descending order, and their vectors as columns.

    Eigenvalues that cannot be told from zero in the matrix's float type are zero.
    """
    size = len(matrix)
    wanted = [size - n_components, size - 1]
    values, vectors = eigh(matrix, subset_by_index=wanted, overwrite_a=True, check_finite=False)
    values, vectors = values[::-1], vectors[:, ::-1]
    noise = np.sqrt(size) * np.finfo(matrix.dtype).eps * values[0]
    return np.where(values > noise, values, 0), vectors


def fix_signs(components):
    """Make the largest entry of each component positive, as scikit-learn does."""
    largest = np.abs(components).argmax(axis=1)
    signs = np.sign(components[np.arange(len(components)), largest])
    return np.ascontiguousarray(components * signs[:, None])
