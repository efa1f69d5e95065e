"""The channels that a query activates most, in a graph: what is pooled under the others is zero."""

import numpy as np

from skdeepenc.export.converters.distances import dense
from skdeepenc.export.converters.normalize import l2_normalize
from skdeepenc.export.registry import register
from skdeepenc.functional.normalize import unit_rows
from skdeepenc.retrieval import AdaptiveChannelRanker, SignCodes


@register(AdaptiveChannelRanker)
def write_channels(g, ranker, x):
    """Return the similarities in each query's channels with the gallery, and its images."""
    n_channels = ranker.activations_.shape[1]
    activations, vectors = _parted(g, x, ranker.n_guidance_channels)
    if ranker.quantize == "sign":
        vectors = g.Sign(vectors)
    _, largest = g.TopK(activations, np.array([ranker.n_channels_]), axis=1, n_outputs=2)
    kept = g.OneHot(largest, np.array(n_channels), np.array([0.0, 1.0]), axis=-1).sum(1)
    by_channel = g.Reshape(vectors, np.array([0, n_channels, -1]))
    by_channel = by_channel * g.Unsqueeze(kept, np.array([2]))
    strongest = g.Flatten(by_channel, axis=1)
    scores = strongest @ g.Transpose(_gallery(g, ranker), perm=[1, 0])
    if ranker.average_weight:
        lengths = g.Sqrt((strongest * strongest).sum(1, keepdims=True))
        averages = unit_rows(ranker.activations_) * ranker._gallery.lengths()[:, None]
        cosines = l2_normalize(g, activations) @ averages.T
        scores = scores + lengths * cosines * float(ranker.average_weight)
    n_kept = min(ranker.n_neighbors or len(ranker.gallery_), len(ranker.gallery_))
    _, neighbors = g.TopK(scores, np.array([n_kept]), axis=1, n_outputs=2)
    return {"scores": scores, "neighbors": neighbors, "vector": lambda: scores}


def _parted(g, x, n_channels):
    """Return the average activations, and the pooled vectors before them."""
    if n_channels is None:
        return x, x
    start, end, axis = np.array([-n_channels]), np.array([np.iinfo(np.int64).max]), np.array([1])
    return g.Slice(x, start, end, axis), g.Slice(x, np.array([0]), start, axis)


def _gallery(g, ranker):
    """Return the gallery's vectors; signs are a byte each in the file."""
    gallery = ranker.gallery_
    if isinstance(gallery, SignCodes):
        return g.cast(g.constant(gallery.decode(), np.int8), np.float32)
    return g.constant(dense(gallery))
