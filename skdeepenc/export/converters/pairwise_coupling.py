"""Probabilities of classes from those of pairs of them, as LIBSVM couples them (Wu et al., 2004).

    min_p p^T Q p,  sum_i p_i = 1,   Q[i, i] = sum_j r[j, i]^2,   Q[i, j] = -r[j, i] r[i, j]

where r[i, j] is the probability of class i among i and j. LIBSVM goes from class to class, and ends
near the minimum: where it ends is what scikit-learn returns, so the graph ends there too.
"""

from itertools import combinations

import numpy as np

__all__ = ["couple"]

_LEAST = 1e-7  # LIBSVM's bound for probabilities of pairs


def couple(g, first, n_classes):
    """Return the probabilities of classes.

    Parameters
    ----------
    g : GraphWriter
        The graph.
    first : Tensor of shape (N, n_pairs)
        The probability of the first class of each pair, (0, 1), (0, 2) ... (1, 2) ...
    n_classes : int
        Number of classes.

    Returns
    -------
    Tensor of shape (N, n_classes)
        Probabilities whose sum is 1.
    """
    quadratic = _quadratic(g, g.Clip(first, _LEAST, 1 - _LEAST), n_classes)
    rows = [g.Gather(quadratic, np.array(each), axis=1) for each in range(n_classes)]
    even = np.full((1, n_classes), 1 / n_classes, dtype=np.float32)
    start = g.Expand(even, g.sides(first.side(0), n_classes))

    def turn(p):
        products = g.Squeeze(quadratic @ g.Unsqueeze(p, np.array([2])), np.array([2]))
        value = (p * products).sum(1, keepdims=True)
        far = g.Abs(products - value).max(1, keepdims=True) >= 0.005 / n_classes
        moved = g.Where(far, _visit_classes(p, products, value, rows), p)
        return g.cast(far, np.int64).sum(0) > np.array(0), [moved]

    return g.repeat(max(100, n_classes), [start], turn)[0]


def _quadratic(g, first, n_classes):
    """Return Q (N, n_classes, n_classes)."""
    pairs = list(combinations(range(n_classes), 2))
    places = np.full((n_classes, n_classes), 2 * len(pairs))
    for number, (i, j) in enumerate(pairs):
        places[i, j], places[j, i] = number, len(pairs) + number
    none = first.cut(0, 1, axis=1) * 0.0
    r = g.Gather(g.concat([first, 1.0 - first, none], axis=1), places, axis=1)
    swapped = r.transpose(0, 2, 1)
    return (swapped * swapped).sum(2, keepdims=True) * np.eye(n_classes) - r * swapped


def _visit_classes(p, products, value, rows):
    """Bring one probability after the other to its best value beside the others."""
    for number, row in enumerate(rows):
        own, product = (each.cut(number, number + 1, axis=1) for each in (row, products))
        step = (value - product) / own
        grown = step + 1.0
        value = (value + step * (step * own + product * 2.0)) / grown / grown
        products = (products + step * row) / grown
        p = (p + step * np.eye(len(rows))[number]) / grown
    return p
