"""Cross-layer pooling as a graph: the equation of `skdeepenc.functional.cross_layer`.

P_k = sum_i a_ik x_i   (or the maximum over i),   image = (.., sign(p) |p|^power, ..),
p = P_k / |P_k|.
"""

import numpy as np

from skdeepenc.encoders import CrossLayerPooler
from skdeepenc.export.converters.cells import cells_of, match_grids
from skdeepenc.export.converters.normalize import l2_normalize, power_normalize
from skdeepenc.export.converters.pca import project
from skdeepenc.export.converters.positions import descriptors_of, if_any
from skdeepenc.export.registry import register


@register(CrossLayerPooler)
def write_cross_layer(g, encoder, maps):
    """Return the vectors (N, n_cells * K * D): cell after cell, channel after channel."""
    record = encoder.record_
    of_layers = maps.of(encoder)
    scales = [
        _features_and_guidance(g, features, guidance, record)
        for features, guidance in zip(of_layers[0], of_layers[-1], strict=True)
    ]
    shape = encoder.n_guidance_channels_, encoder.n_components_
    pooled = []
    for level in record.levels:
        # The cells of one number of all scales are one cell.
        cells = zip(*[_cells_of_both(both, level) for both in scales], strict=True)
        for number, cell in enumerate(cells):
            with g.scope(f"{level[0]}x{level[1]}/cell {number}"):
                pooled.append(_pool_cell(g, cell, record.pooling, shape))
    vectors = g.concat(pooled, axis=1)
    if record.quantize == "sign":
        normalized = g.Sign(vectors)
    else:
        normalized = power_normalize(g, l2_normalize(g, vectors), record.power)
    whole = normalized.reshape(normalized.side(0), len(pooled) * shape[0] * shape[1])
    return l2_normalize(g, whole) if record.normalize else whole


def _features_and_guidance(g, features, guidance, record):
    """Return x (N, H, W, D) and a (N, H, W, K) of a scale, on one grid."""
    features, guidance = match_grids(g, features, guidance)
    if record.uniform:
        sides = (features.side(axis) for axis in range(3))
        guidance = g.Expand(np.ones(1, np.float32), g.sides(*sides, 1))
    elif record.filters is not None:
        guidance = g.Relu(guidance @ record.filters.coef + record.filters.intercept)
    return features if record.projection is None else project(features, record.projection), guidance


def _cells_of_both(both, level):
    """Return the features and the guidance of every cell."""
    return list(zip(*(cells_of(each, *level) for each in both), strict=True))


def _pool_cell(g, scales, pooling, shape):
    """Pool the positions of a cell, at all scales, into (N, K, D)."""
    x, a = (descriptors_of(g, each) for each in zip(*scales, strict=True))

    def add():
        return a.transpose(0, 2, 1) @ x

    def take_maxima():
        def of_channel(k):
            return (g.Gather(a, k, axis=2) * x).max(1)

        return g.stack(g.sides(shape[0]), of_channel).transpose(1, 0, 2)

    return if_any(g, x, add if pooling == "sum" else take_maxima, *shape)
