"""Score every position of maps with the part of a classifier that its descriptor meets.

A descriptor that is the whole image fills one part of the image's vector: that of its scale, where
scales lie side by side, in each cell of the spatial pyramid that holds its position. Positions that
fill the same part are scored together.
"""

import numpy as np

from skdeepenc.encoders.spatial_pyramid import pyramid_cells
from skdeepenc.functional.fisher_scores import score_each_alone

__all__ = ["places_of", "score_places", "split_by_map"]


def places_of(maps, levels, *, by_scale):
    """Return where every descriptor of one layer's maps goes, (n, 1 + n_levels).

    The first column is the scale, or 0 unless `by_scale`; the others are the cell of each level.
    """
    places = []
    for grids in maps.grid(maps.layers[0]):
        for scale, (height, width) in enumerate(grids):
            cells = pyramid_cells(height, width, levels).T
            places.append(np.column_stack([np.full(len(cells), scale * by_scale), cells]))
    return np.concatenate(places)


def score_places(descriptors, places, terms, coefficients, power):
    """Return the scores (n, n_classes) of descriptors alone.

    Parameters
    ----------
    descriptors : ndarray of shape (n, D)
        Reduced as the encoder does.
    places : ndarray of int of shape (n, 1 + n_levels)
        Where each goes.
    terms : FisherTerms
        The mixture.
    coefficients : ndarray of shape (n_classes, n_cells, n_parts, 2, K, D)
        Weights of the classifier.
    power : float
        Exponent of the power normalisation.

    Returns
    -------
    ndarray of shape (n, n_classes)
        Without the intercepts.
    """
    n_levels = places.shape[1] - 1
    scores = np.zeros((len(descriptors), len(coefficients)), dtype=descriptors.dtype)
    kinds, kind_of = np.unique(places, axis=0, return_inverse=True)
    for kind, (part, *cells) in enumerate(kinds):
        rows = np.flatnonzero(kind_of.ravel() == kind)
        # Each cell that holds the descriptor has a vector of unit length before the last scaling.
        weights = coefficients[:, cells, part].sum(axis=1) / np.sqrt(n_levels)
        scores[rows] = score_each_alone(descriptors[rows], terms, weights, power)
    return scores


def split_by_map(scores, maps):
    """Return the scores of descriptors as a map (H, W, n_classes) for every image and scale."""
    grids = maps.grid(maps.layers[0]).reshape(-1, 2)
    pieces = np.split(scores, maps.offsets(maps.layers[0])[1:-1])
    by_map = [
        piece.reshape(*grid, scores.shape[1]) for piece, grid in zip(pieces, grids, strict=True)
    ]
    return [by_map[start : start + maps.n_scales] for start in range(0, len(by_map), maps.n_scales)]
