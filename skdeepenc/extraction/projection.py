"""Learn a projection of a layer's descriptors while they stream by.

Maps can be far larger than their principal components, so the projection is learned from a bounded
sample and applied before anything is stored.
"""

import hashlib
import warnings
from collections import defaultdict

import numpy as np
from sklearn.decomposition import PCA
from sklearn.utils import check_random_state

from skdeepenc.exceptions import DegenerateDataWarning, ImageBatchError

# The sample of each layer, and what one image may give to it: 800 images where maps have positions
# to spare, up to 50,000 images where each gives a single descriptor.
MAX_SAMPLES = 50_000
MAX_SAMPLES_OF_IMAGE = 64


class Projection:
    """Principal components of a layer's descriptors: ``descriptors @ matrix + offset``.

    Parameters
    ----------
    matrix : array of shape (n_channels, n_components), float32
        The components.
    offset : array of shape (n_components,), float32
        The negative projected mean.
    """

    def __init__(self, matrix, offset):
        self.matrix = matrix
        self.offset = offset

    def __call__(self, descriptors):
        """Project an array of shape (..., n_channels)."""
        return descriptors @ self.matrix + self.offset

    @property
    def n_components(self):
        """Number of values that are left of a descriptor."""
        return self.matrix.shape[1]

    @property
    def digest(self):
        """Changes whenever the projection does."""
        content = np.ascontiguousarray(self.matrix).tobytes() + self.offset.tobytes()
        return hashlib.sha256(content).hexdigest()


def fit_projections(runner, sources, layers, n_components, random_state):
    """Fit one projection a layer on images in random order, until every layer has its sample.

    Parameters
    ----------
    runner : Runner
        Runs the network without projections.
    sources : list
        The images to learn from.
    layers : sequence of str
        The layers to project.
    n_components : int
        Components to keep; fewer where the sample allows no more.
    random_state : int, RandomState or None
        Chooses images and descriptors.

    Returns
    -------
    dict of str to Projection
        By layer.
    """
    rng = check_random_state(random_state)
    order = rng.permutation(len(sources))
    samples, counts = defaultdict(list), dict.fromkeys(layers, 0)
    images = runner.stream(sources, order)
    for _, maps in images:
        for layer in layers if maps is not None else ():
            chosen = _choose(maps.values[layer], MAX_SAMPLES - counts[layer], rng)
            samples[layer].append(chosen)
            counts[layer] += len(chosen)
        if min(counts.values()) >= MAX_SAMPLES:
            images.close()
            break
    if not samples:
        raise ImageBatchError(runner.failures)
    return {layer: _fit(np.concatenate(samples[layer]), n_components, rng) for layer in layers}


def _choose(descriptors, room, rng):
    """Draw descriptors of one image without replacement."""
    wanted = min(room, MAX_SAMPLES_OF_IMAGE)
    if len(descriptors) <= wanted:
        return descriptors
    return descriptors[rng.choice(len(descriptors), wanted, replace=False)]


def _fit(sample, n_components, rng):
    most = min(sample.shape)
    if n_components > most:
        warnings.warn(
            f"{sample.shape[0]} descriptors of {sample.shape[1]} values allow {most} principal "
            f"components, not n_components={n_components}; keeping {most}.",
            DegenerateDataWarning,
            stacklevel=4,
        )
    seed = rng.randint(np.iinfo(np.int32).max)
    pca = PCA(min(n_components, most), random_state=seed).fit(sample)
    matrix = np.ascontiguousarray(pca.components_.T, dtype=np.float32)
    return Projection(matrix, (-pca.mean_ @ matrix).astype(np.float32))
