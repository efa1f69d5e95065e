"""Bags of visual words as a graph: the equation of `skdeepenc.functional.visual_words`.

    h_k = |{x : k = argmin_j |x - c_j|^2}|,

as dense rows, to a power, times the words' weights. Words are searched exactly: of an encoder that
searches an index, which misses a few, that is an approximation.
"""

import numpy as np

from skdeepenc.encoders import BagOfVisualWords
from skdeepenc.exceptions import ExportError
from skdeepenc.export.converters.normalize import power_normalize
from skdeepenc.export.converters.positions import descriptors_of, if_any
from skdeepenc.export.registry import register

_TILE_SIZE = 512  # descriptors whose distances to all words are in memory at once


@register(BagOfVisualWords)
def write_bag_of_words(g, encoder, maps):
    """Return the histograms (N, K)."""
    record = encoder.record_
    if record.index is not None and not maps.approximate:
        raise ExportError(
            f"BagOfVisualWords finds {encoder.agreement_:.0%} of the nearest words by an index of "
            "faiss, and a graph finds all: export it with approximate=True, or fit it with "
            'search="exact".'
        )
    (scales,) = maps.of(encoder)
    x = descriptors_of(g, scales)

    def count():
        labels = _nearest(g, x, record.words).reshape(x.side(0), x.side(1))
        empty = g.Expand(np.zeros(1, np.float32), g.sides(x.side(0), len(record.words)))
        ones = g.Expand(np.ones(1, np.float32), g.Shape(labels))
        return g.ScatterElements(empty, labels, ones, axis=1, reduction="add")

    counts = power_normalize(g, if_any(g, x, count, len(record.words)), record.power)
    return counts if record.idf is None else counts * record.idf


def _nearest(g, x, words):
    """Return the number (N * P,) of each descriptor's nearest word, tile by tile."""
    words = words.astype(np.float64)
    n_rows = x.side(0) * x.side(1)
    rows = x.reshape(n_rows, words.shape[1])
    places = np.arange(_TILE_SIZE)

    def search(turn):
        # The last tile is filled up with its last descriptor.
        own = g.Min(turn * _TILE_SIZE + places, n_rows - 1)
        tile = g.Gather(rows, own, axis=0)
        return g.ArgMin(tile @ (-2 * words.T) + (words**2).sum(1), axis=1, keepdims=0)

    labels = g.stack((n_rows + (_TILE_SIZE - 1)) // _TILE_SIZE, search)
    return labels.reshape(-1).cut(0, n_rows, axis=0)
