"""What each position adds to the aggregated selective match kernel of two images.

The kernel is a sum over the words that both images have (`skdeepenc.functional.asmk`). A word's
part of it, sigma(u) with u = V_c(X) . V_c(Z), goes to the positions of X with that word as u does:
V_c(X) is a sum over them, scaled to unit length, so that

    share of p = sigma(u) / u  *  (x_p - c) . V_c(Z) / |sum of x - c|,

and the shares of all positions add up to the kernel. A sign is the value by its magnitude; the sign
of a zero belongs to no position and goes to those of its word in equal shares.
"""

from dataclasses import dataclass

import numpy as np

from skdeepenc.functional.asmk import selectivity, unit_residuals

__all__ = ["split_match_kernel"]


@dataclass(frozen=True)
class _Side:
    """An image: the words that it has, their unit residuals, and what positions put into them."""

    words: np.ndarray
    units: np.ndarray
    gains: np.ndarray
    rests: np.ndarray
    places: np.ndarray
    residuals: np.ndarray

    @classmethod
    def of(cls, column, words, assigned, binary):
        own, places, counts = np.unique(assigned, return_inverse=True, return_counts=True)
        places = places.reshape(assigned.shape)
        residuals = column.values[:, None] - words[assigned]
        sums = np.zeros((len(own), words.shape[1]), words.dtype)
        np.add.at(sums, places, residuals)
        if binary:
            units = np.where(sums > 0, 1, -1).astype(sums.dtype) / np.sqrt(sums.shape[1])
        else:
            units = unit_residuals(sums, counts[:, None].astype(sums.dtype) * words[own])
        gains = np.divide(units, sums, out=np.zeros_like(sums), where=sums != 0)
        rests = np.where(sums == 0, units, 0) / counts[:, None]
        return cls(own, units, gains, rests, places, residuals)

    def shares(self, column, shared, directions):
        """Return what positions add to the products of shared words with directions, as maps."""
        every = np.zeros_like(self.units)
        every[shared] = directions
        shares = np.einsum("nrd,nrd->n", self.residuals, (self.gains * every)[self.places])
        shares += (self.rests * every).sum(axis=1)[self.places].sum(axis=1)
        sizes, bounds = column.grids.reshape(-1, 2), column.offsets[1:-1]
        return [
            part.reshape(size) for part, size in zip(np.split(shares, bounds), sizes, strict=True)
        ]


def split_match_kernel(columns, words, assigned, *, alpha=3.0, threshold=0.0, binary=False):
    """Split the kernel of two images over the positions of each.

    Parameters
    ----------
    columns : sequence of two Column
        Descriptors of one image each.
    words : ndarray of shape (K, D)
        The visual words.
    assigned : sequence of two ndarray of int of shape (n_descriptors, r)
        The words of each descriptor of the two.
    alpha, threshold : float
        As in the equations of the kernel.
    binary : bool, default=False
        Whether residuals are compared by their signs.

    Returns
    -------
    similarity : float
        The kernel.
    first, second : list of ndarray of shape (H, W)
        What the positions of either image add, at each scale.
    """
    sides = [
        _Side.of(column, words, own, binary) for column, own in zip(columns, assigned, strict=True)
    ]
    _, *shared = np.intersect1d(sides[0].words, sides[1].words, return_indices=True)
    units = [side.units[at] for side, at in zip(sides, shared, strict=True)]
    products = (units[0] * units[1]).sum(axis=1)
    n_words = [max(len(side.words), 1) for side in sides]
    weights = selectivity(products, alpha, threshold) / np.sqrt(np.prod(n_words))
    scales = np.divide(weights, products, out=np.zeros_like(products), where=products != 0)
    shares = [
        side.shares(column, at, scales[:, None] * other)
        for side, column, at, other in zip(sides, columns, shared, units[::-1], strict=True)
    ]
    return float(weights.sum()), *shares
