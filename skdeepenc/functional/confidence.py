"""Object confidence maps: every descriptor scored as if it were the whole image.

Section 4.5 of Yoo et al., 2014. With the vector G(x) of an image that has the descriptor x alone
and a linear classifier's weights w_c and intercepts b_c, position i of class c shows

    w_c . G(x_i) + b_c.

`_fisher_scores.literal_scores` is the product, vector by vector. A descriptor that is the whole
image fills one part of the image's vector: that of its scale, where scales lie side by side, in
each cell of the spatial pyramid that holds its position. Positions that fill the same part are
scored together.
"""

import numpy as np

from skdeepenc.functional._fisher_scores import score_each_alone
from skdeepenc.functional.pca import project
from skdeepenc.functional.spatial_pyramid import pyramid_cells

__all__ = ["confidence_maps"]


def confidence_maps(column, record, coefficients, intercepts):
    """Score every descriptor as if it were the image.

    Parameters
    ----------
    column : Column
        Descriptors of the images at all scales.
    record : FisherRecord
        What was learned.
    coefficients : ndarray of shape (n_classes, n_features)
        What a linear classifier multiplies vectors with.
    intercepts : ndarray of shape (n_classes,)
        What it adds.

    Returns
    -------
    list of list of ndarray of shape (H, W, n_classes)
        The scores of each image and scale.
    """
    dtype = column.values.dtype
    shape = (record.n_cells, record.n_parts(column.n_scales), 2, *record.means.shape)
    coefficients = coefficients.reshape(len(coefficients), *shape)
    places = _places_of(column, record.levels, by_scale=record.pooling == "csf")
    descriptors = project(column.values, record.projection)
    scores = _score_places(descriptors, places, record.terms(dtype), coefficients, record.power)
    return column.with_values((scores + intercepts).astype(dtype)).by_image


def _places_of(column, levels, *, by_scale):
    """Return where every descriptor goes, (n, 1 + n_levels).

    The first column is the scale, or 0 unless `by_scale`; the others are the cell of each level.
    """
    places = []
    for grids in column.grids:
        for scale, (height, width) in enumerate(grids):
            cells = pyramid_cells(height, width, levels).T
            places.append(np.column_stack([np.full(len(cells), scale * by_scale), cells]))
    return np.concatenate(places)


def _score_places(descriptors, places, terms, coefficients, power):
    """Return the scores (n, n_classes) of descriptors alone, without the intercepts.

    The coefficients are of shape (n_classes, n_cells, n_parts, 2, K, D).
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
