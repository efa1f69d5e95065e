"""Multi-scale Fisher vectors as a graph: `skdeepenc.functional.fisher` and `multiscale_fisher`.

With the posteriors g_k of Gaussian k, both gradients are affine in sums over the descriptors x,

    G_mu_k    = (sum g_k x - mu_k sum g_k) / (sigma_k sqrt(w_k)),
    G_sigma_k = (sum g_k x^2 - 2 mu_k sum g_k x + (mu_k^2 - sigma_k^2) sum g_k)
                / (sigma_k^2 sqrt(2 w_k)),

and an image is the sum over its scales of G / |G|, signed roots taken, at unit length. The factor
1 / n of both gradients goes with the length.
"""

from typing import Any

import numpy as np

from skdeepenc.encoders import MultiScaleFisherEncoder
from skdeepenc.export.converters.cells import cells_of
from skdeepenc.export.converters.normalize import l2_normalize, power_normalize
from skdeepenc.export.converters.pca import project
from skdeepenc.export.converters.positions import descriptors_of, if_any
from skdeepenc.export.registry import register
from skdeepenc.functional.spatial_pyramid import WHOLE

# Descriptors whose moments and posteriors (256 Gaussians: 0.8 MB each) stay in the cache.
_TILE_ROWS = 768


@register(MultiScaleFisherEncoder)
def write_fisher(g, encoder, maps):
    """Return the vectors (N, d), cell after cell of the pyramid."""
    record = encoder.record_
    (scales,) = maps.of(encoder)
    terms = record.terms(np.float64)
    sums = []
    for number, scale in enumerate(scales):
        with g.scope(f"scale {number}"):
            sums.append(_sum_scale(g, scale, record, terms))
    cells = [_pool_scales(g, cell, record, terms) for cell in zip(*sums, strict=True)]
    vectors = g.concat(cells, axis=1)  # (N, n_cells, d of a cell)
    occupied = g.cast(g.Abs(vectors).max(2) > 0.0, np.float32).sum(1, keepdims=True)
    vectors = vectors.reshape(vectors.side(0), record.n_features(len(scales)))
    return vectors / g.Sqrt(g.Max(occupied, 1.0))


def _sum_scale(g, maps, record, terms):
    """Return the sums [x, x^2, 1] by posterior, (N, K, 2 D + 1), of every cell of the pyramid."""
    if record.levels == WHOLE:
        return [_sum_tiles(g, maps, record, terms)]
    sides = [maps.side(axis) for axis in range(3)]
    moments, posteriors = _weighed(g, maps, sides, record, terms)
    sums: dict[tuple[int, int], list[Any]] = {}
    for level in sorted(set(record.levels), key=np.prod, reverse=True):
        finer = next((known for known in sums if not any(np.mod(known, level))), None)
        if finer is None:
            parts = zip(cells_of(moments, *level), cells_of(posteriors, *level), strict=True)
            sums[level] = [_sum_cell(g, *part, terms.means.shape) for part in parts]
        else:
            sums[level] = _add_up(sums[finer], finer, level)
    return [cell for level in record.levels for cell in sums[level]]


def _weighed(g, x, sides, record, terms):
    """Return the moments [x, x^2] of descriptors, and their posteriors, along these sides."""
    weigh, add = terms.density.projection[:, :-1].T, terms.density.projection[:, -1]
    # In two axes, as a product and what is added to it are one operator there.
    rows = x.reshape(-1, record.projection.n_features_in_)
    x = project(rows, record.projection, terms.density.origin)
    moments = g.concat([x, x * x], axis=1)
    posteriors = g.Softmax(moments @ weigh + add, axis=1)
    return moments.reshape(*sides, weigh.shape[0]), posteriors.reshape(*sides, weigh.shape[1])


def _sum_tiles(g, maps, record, terms):
    """Sum over whole maps, tile by tile: what is made of a tile stays in the cache."""
    n_gaussians, n_channels = terms.means.shape
    x, n_images, zero = descriptors_of(g, [maps]), maps.side(0), np.zeros(1, np.float32)
    n_positions = x.side(1)

    def add():
        most = g.Max(g.constant(np.array([_TILE_ROWS])) // n_images, np.array([1]))
        n_tiles = (n_positions + most - 1) // most
        step = (n_positions + n_tiles - 1) // n_tiles  # tiles of one size, nearly

        def turn(start, sums, counts):
            stop = g.Min(start + step, n_positions)
            sides = n_images, stop - start
            tile = g.Slice(x, start, stop, np.array([1]))
            moments, posteriors = _weighed(g, tile, sides, record, terms)
            more, members = _sums(moments, posteriors, n_gaussians)
            return np.array(True), [stop, sums + more, counts + members]

        nothing = (g.Expand(zero, g.sides(n_images, n_gaussians, n)) for n in (2 * n_channels, 1))
        _, *sums = g.repeat(n_tiles, [g.constant(np.array([0])), *nothing], turn)
        return g.concat(sums, axis=2)

    return if_any(g, maps, add, n_gaussians, 2 * n_channels + 1)


def _sum_cell(g, moments, posteriors, shape):
    moments, posteriors = (descriptors_of(g, [each]) for each in (moments, posteriors))

    def add():
        return g.concat(_sums(moments, posteriors, shape[0]), axis=2)

    return if_any(g, moments, add, shape[0], 2 * shape[1] + 1)


def _sums(moments, posteriors, n_gaussians):
    """Return the sums (N, K, 2 D) of moments (N, P, 2 D) by posterior, and those of ones."""
    # Reshaped, or onnxruntime would multiply across rows, which takes a sixth longer.
    weights = posteriors.transpose(0, 2, 1)
    weights = weights.reshape(posteriors.side(0), n_gaussians, posteriors.side(1))
    return [weights @ moments, weights.sum(2, keepdims=True)]


def _add_up(cells, finer, level):
    """Return the sums of a level whose borders are all among those of a finer one."""
    by_place = np.array(cells, dtype=object).reshape(finer)
    high, wide = np.floor_divide(finer, level)
    return [
        by_place[row * high : (row + 1) * high, column * wide : (column + 1) * wide].sum()
        for row, column in np.ndindex(*level)
    ]


def _pool_scales(g, sums, record, terms):
    """Return the vectors (N, 1, d) of a cell, given the sums of each scale."""
    if record.pooling == "nfk":
        sums = [sum(sums[1:], start=sums[0])]
    unit = [l2_normalize(g, _gradients(g, each, terms)) for each in sums]
    pooled = g.concat(unit, axis=2) if record.pooling == "csf" else sum(unit[1:], start=unit[0])
    return l2_normalize(g, power_normalize(g, pooled, record.power))


def _gradients(g, sums, terms):
    """Return n times the gradients, (N, 1, 2 K D)."""
    n_gaussians, n_channels = terms.means.shape
    first, second, counts = (
        sums.cut(*ends, axis=2)
        for ends in ((0, n_channels), (n_channels, 2 * n_channels), (-1, 2 * n_channels + 1))
    )
    by_mean = (first - counts * terms.means) * terms.mean_scale
    by_deviation = second + counts * (terms.means**2 - terms.variances)
    by_deviation = (by_deviation - first * (2 * terms.means)) * terms.deviation_scale
    both = g.concat([by_mean, by_deviation], axis=1)
    return both.reshape(both.side(0), 1, 2 * n_gaussians * n_channels)
