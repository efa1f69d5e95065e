"""Draw the bounded sample of descriptors that vocabularies are learned from."""

import numpy as np
from sklearn.utils import check_random_state

from skdeepenc._typing import Floats, Integers, RandomState
from skdeepenc.arrays.segments import take_segments
from skdeepenc.maps.feature_maps import FeatureMaps

__all__ = ["sample_descriptors"]


def sample_descriptors(
    maps: FeatureMaps,
    layer: str | None = None,
    scale: int | None = None,
    *,
    max_samples: int,
    random_state: RandomState = None,
) -> Floats:
    """Draw descriptors, evenly over images and scales.

    Every map gives the same number of descriptors, as far as it has them, drawn without
    replacement. The draw depends on the maps and the seed alone, never on the working memory.

    Parameters
    ----------
    maps : FeatureMaps
        Where to draw from.
    layer : str or None, default=None
        Name of the layer, None for the deepest.
    scale : int or None, default=None
        Index of the scale, None for all.
    max_samples : int
        Most descriptors to draw; maps that have no more give all of them.
    random_state : int, RandomState or None, default=None
        Seed of the draw.

    Returns
    -------
    ndarray of shape (n_samples, D)
        The descriptors, in float32 or float64.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.maps import FeatureMaps, sample_descriptors
    >>> maps = FeatureMaps.from_arrays(np.ones((10, 7, 7, 512)))
    >>> sample_descriptors(maps, max_samples=20, random_state=0).shape
    (20, 512)
    """
    layer = maps.deepest_layer if layer is None else layer
    maps = maps.select(layers=[layer], scales=None if scale is None else [scale])
    rng = check_random_state(random_state)
    quotas = even_quotas(np.diff(maps.offsets(layer)), max_samples, rng)
    quotas = quotas.reshape(len(maps), maps.n_scales)
    giving = quotas.any(axis=1)
    maps, quotas = maps[giving], quotas[giving]
    sample = np.empty(
        (quotas.sum(), maps.n_channels(layer)), np.result_type(maps.dtype, np.float32)
    )
    image = row = 0
    for batch in maps.iter_batches():
        chosen = _choose_rows(batch.offsets(layer), quotas[image : image + len(batch)].ravel(), rng)
        own = sample[row : row + len(chosen)]
        # Straight into the sample; mode="raise" would buffer what is written.
        np.take(batch.values(layer), chosen, axis=0, out=own, mode="clip")
        image, row = image + len(batch), row + len(chosen)
        del batch  # before the next one is read
    return sample


def even_quotas(counts: Integers, max_samples: int, rng: np.random.RandomState) -> Integers:
    """Say how many descriptors each map gives: the same number, as far as it has them.

    Parameters
    ----------
    counts : ndarray of int of shape (n_maps,)
        Number of descriptors of each map.
    max_samples : int
        Most descriptors in all.
    rng : RandomState
        Chooses the maps that give one more, where the number does not divide.

    Returns
    -------
    ndarray of int of shape (n_maps,)
        The quotas; they sum to the smaller of `max_samples` and the sum of `counts`.
    """
    if counts.sum() <= max_samples:
        return counts
    low, high = 0, int(counts.max())  # the largest common quota that does not ask for too many
    while low < high:
        middle = (low + high + 1) // 2
        fits = np.minimum(counts, middle).sum() <= max_samples
        low, high = (middle, high) if fits else (low, middle - 1)
    quotas = np.minimum(counts, low)
    with_more = np.flatnonzero(counts > low)
    quotas[rng.permutation(with_more)[: max_samples - quotas.sum()]] += 1
    return quotas


def _choose_rows(offsets: Integers, quotas: Integers, rng: np.random.RandomState) -> Integers:
    """Choose `quotas[i]` rows of every segment i, in ascending order."""
    lengths = np.diff(offsets)
    keys = rng.random_sample(offsets[-1])  # the quota's smallest keys of a segment are its draw
    order = np.lexsort((keys, np.repeat(np.arange(len(lengths)), lengths)))
    return np.sort(take_segments(order, offsets[:-1], offsets[:-1] + quotas))
