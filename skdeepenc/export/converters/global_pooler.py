"""Global poolings as a graph: the equations of `skdeepenc.functional.pooling` and `power_means`.

    MAC   max_i x_i
    GeM   (1/n sum_i max(x_i, 0)^p)^(1/p)
    LP    (1/n sum_i |x_i|^p)^(1/p)
    SPoC  sum_i exp(-d_i^2 / (2 s^2)) x_i
    CroW  b sum_i a_i x_i

R-MAC and the class token, with the scales side by side, or their mean over those that have
descriptors, and several methods side by side.
"""

import numpy as np

from skdeepenc.encoders import GlobalPooler
from skdeepenc.export.converters.normalize import l2_normalize, or_one
from skdeepenc.export.converters.positions import (
    descriptors_of,
    highest,
    if_any,
    mean,
    positions,
)
from skdeepenc.export.converters.regions import region_maxima
from skdeepenc.export.registry import register

# Sums of CroW, and mean powers, that lost nothing to overflow or underflow lie in between.
_SUMS, _POWERS = (1e-15, 1e15), (1e-25, 1e25)
_STEEP = 3e38
_LARGEST_PRODUCT = 16  # whole exponents up to here are products, which take a tenth of the time


@register(GlobalPooler)
def write_global_pooler(g, encoder, maps):
    """Return the vectors (N, d)."""
    record = encoder.record_
    layers = zip(maps.of(encoder), encoder._channels_in, strict=True)
    by_layer = dict(zip(encoder.layers_in_, layers, strict=True))
    patches, tokens = encoder._columns_read
    blocks = []
    for method in record.methods:
        scales, n_channels = by_layer[tokens if method == "cls" else patches]
        with g.scope(method):
            blocks.append(_pool_scales(g, scales, n_channels, method, record))
    return g.concat(blocks, axis=1)


def _pool_scales(g, scales, n_channels, method, record):
    """Return the vectors of one method."""
    vectors = []
    for number, scale in enumerate(scales):
        with g.scope(f"scale {number}"):
            vectors.append(_pool(g, scale, n_channels, method, record))
    if record.across_scales == "concatenate":
        joined = g.concat(vectors, axis=1)
    else:
        n_present = sum(
            (g.Min(positions(scale), np.array([1])) for scale in scales[1:]),
            start=g.Min(positions(scales[0]), np.array([1])),
        )
        joined = sum(vectors[1:], start=vectors[0]) / g.Max(g.cast(n_present, np.float32), 1.0)
    return l2_normalize(g, joined) if record.normalize else joined


def _pool(g, maps, n_channels, method, record):
    """Return the vector (N, D) of one scale."""
    pool = _POOLINGS[method]

    def write():
        pooled = pool(g, maps, record)
        return l2_normalize(g, pooled) if record.normalize else pooled

    return if_any(g, maps, write, n_channels)


def _average(g, maps, record):
    return mean(maps)


def _mac(g, maps, record):
    return highest(maps)


def _gem(g, maps, record):
    return _power_mean(g, g.Relu(maps), record)


def _lp(g, maps, record):
    return _power_mean(g, g.Abs(maps), record)


def _power_mean(g, x, record):
    """Take the root of the mean power, and look again where a power may have left its range."""
    powers = mean(_power(g, x, record.p))
    held = _is_within(g, powers, *_POWERS)

    def look_again():
        peaks = highest(x)
        lost = g.And(g.Not(held), peaks > 0.0)  # most are means of nothing but zeros

        def take_fractions():
            return g.Where(lost, _mean_of_fractions(g, x, peaks, record.p), root())

        return g.choose(_any(g, lost), take_fractions, root)

    def root():
        return g.Pow(powers, 1 / record.p)

    return g.choose(_any(g, g.Not(held)), look_again, root)


def _is_within(g, x, low, high):
    return g.And(x > low, x < high)


def _any(g, truths):
    return g.ReduceMax(g.cast(truths, np.float32), keepdims=0) > 0.0


def _mean_of_fractions(g, x, peaks, p):
    """Take powers of fractions of the maximum: they can neither overflow nor all vanish."""
    fractions = x / g.Unsqueeze(or_one(g, peaks), np.array([1, 2]))
    return peaks * g.Pow(mean(_power(g, fractions, p)), 1 / p)


def _power(g, x, p):
    # onnxruntime multiplies for the power 3 by itself, in one pass.
    if p == 3 or p not in range(1, _LARGEST_PRODUCT + 1):
        return g.Pow(x, float(p))
    square, powers, rest = x, None, int(p)
    while rest:
        if rest % 2:
            powers = square if powers is None else powers * square
        rest //= 2
        square = square * square if rest else square
    return powers


def _spoc(g, maps, record):
    """Weigh positions by a Gaussian around the centre, a third of the way to the border wide."""
    height, width = maps.side(1), maps.side(2)
    sigma = g.cast(g.Min(height, width), np.float32) / 6.0
    rows, columns = (_squared_distances(g, side, sigma) for side in (height, width))
    weights = g.Exp((rows.reshape(-1, 1) + columns) * -0.5)
    x = descriptors_of(g, [maps])
    return g.Squeeze(weights.reshape(1, -1) @ x, np.array([1]))


def _squared_distances(g, side, sigma):
    """Return the squared distances of positions to the middle of their axis, in sigmas."""
    places = g.Range(np.array(0), g.Squeeze(side), np.array(1))
    middles = g.cast(places, np.float32) + 0.5
    distances = (middles - g.cast(side, np.float32) * 0.5) / sigma
    return distances * distances


def _crow(g, maps, record):
    """Weigh fractions of the peak, a second time, where sums overflowed or nearly vanished."""
    sums, pooled = _weigh(g, maps)
    # Infinities and what is not a number are in these sums too, and in no interval.
    size = g.ReduceSum(g.Abs(sums), np.array([1, 2]), keepdims=0)
    size = (size + g.Abs(pooled).sum(1)).reshape(-1, 1)
    held = g.Or(g.Equal(size, 0.0), _is_within(g, size, *_SUMS))

    def weigh_fractions():
        peaks = g.ReduceMax(g.Abs(maps), np.array([1, 2, 3]), keepdims=1)
        peaks = g.Where(g.Unsqueeze(held, np.array([1, 2])), 1.0, or_one(g, peaks))
        return _weigh(g, maps / peaks)[1] * g.Squeeze(peaks, np.array([1, 2]))

    return g.choose(_any(g, g.Not(held)), weigh_fractions, lambda: pooled)


def _weigh(g, maps):
    """Weigh places by the root of their share of responses, channels by their rarity.

    Returns the sums of responses (N, H, W), and the vectors (N, D).
    """
    responses = maps.sum(3)
    flat = responses.reshape(maps.side(0), positions(maps))
    places = g.Sqrt(l2_normalize(g, g.Relu(flat)))
    places = places.reshape(maps.side(0), maps.side(1), 1, maps.side(2))
    pooled = g.ReduceSum(places @ maps, np.array([1, 2]), keepdims=0)
    # A ramp this steep is a step, and takes a third of the time of a comparison.
    shares = mean(g.HardSigmoid(maps, alpha=_STEEP, beta=0.0))
    rarity = g.Log(shares.sum(1, keepdims=True) / or_one(g, shares))
    return responses, g.Where(shares > 0.0, rarity * pooled, 0.0)


def _rmac(g, maps, record):
    return l2_normalize(g, l2_normalize(g, region_maxima(g, maps, record.n_levels)).sum(0))


_POOLINGS = {
    "avg": _average,
    "max": _mac,
    "cls": _average,  # the mean of one token is the token
    "gem": _gem,
    "lp": _lp,
    "spoc": _spoc,
    "crow": _crow,
    "rmac": _rmac,
}
