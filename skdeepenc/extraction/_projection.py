"""Learn a projection of a layer's descriptors while they stream by.

Maps can be far larger than their principal components, so the projection is learned from a bounded
sample and becomes part of the network's graph, before anything is stored.
"""

import hashlib
import warnings
from collections import defaultdict

import numpy as np
from sklearn.utils import check_random_state

from skdeepenc._progress import progress_bar
from skdeepenc.exceptions import DegenerateDataWarning, ImageBatchError, ImageError
from skdeepenc.extraction.sources import known_digest, read_and_digest

# The sample of each layer, and what one image may give to it: 800 images where maps have positions
# to spare, up to 50,000 images where each gives a single descriptor.
MAX_SAMPLES = 50_000
MAX_SAMPLES_OF_IMAGE = 64


def fit_projections(runner, sources, layers, n_components, seed):
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
    seed : int
        Chooses images and descriptors.

    Returns
    -------
    dict of str to (array of shape (D,), array of shape (n_components, D))
        The mean and the components of each layer.
    """
    rng = check_random_state(seed)
    samples, counts = defaultdict(list), dict.fromkeys(layers, 0)
    images = runner.stream(sources, rng.permutation(len(sources)))
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


def projections_digest(recipe, sources, n_components, seed, verbose=0):
    """Return what stands for the projections that `fit_projections` would learn."""
    digest = hashlib.sha256(f"{recipe.digest} {n_components} {seed}".encode())
    for source in progress_bar(sources, verbose=verbose, description="Reading", unit="image"):
        try:
            digest.update((known_digest(source) or read_and_digest(source)[1]).encode())
        except ImageError:
            digest.update(b"unreadable")
    return digest.hexdigest()


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
    # Half of what the extractor would import otherwise, for what most never ask.
    from sklearn.decomposition import PCA

    seed = rng.randint(np.iinfo(np.int32).max)
    pca = PCA(min(n_components, most), random_state=seed).fit(sample)
    return pca.mean_.astype(np.float32), pca.components_.astype(np.float32)
