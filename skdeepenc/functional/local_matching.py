"""Compare two images by the best matches among their positions.

With descriptors q_i of a query and x_j of an image, all of unit length, the sum of maxima (Chamfer
similarity; Kordopatis-Zilos et al., "ViSiL", ICCV 2019, section 3.1) takes for each position of the
query the most similar one of the image,

    sum_i max_j q_i . x_j,

and best buddies (Dekel et al., "Best-Buddies Similarity for Robust Template Matching", CVPR 2015,
section 3) count a match only where it is mutual,

    sum_i q_i . x_m(i)   over those i that are the most similar to x_m(i),

with ``m(i) = argmax_j q_i . x_j``. Both are divided by the number of the query's positions, so that
the similarity of an image with itself is 1.
"""

import numpy as np

from skdeepenc.functional.normalize import l2_normalize

__all__ = ["best_matches", "literal_mutual", "literal_sum_max"]


def literal_sum_max(query, image):
    """Compare two images of unit descriptors by the sum of maxima, position by position."""
    return sum(max(q @ x for x in image) for q in query) / len(query)


def literal_mutual(query, image):
    """Compare two images of unit descriptors by best buddies, position by position."""
    total = 0.0
    for i, q in enumerate(query):
        match = int(np.argmax([q @ x for x in image]))
        if np.argmax([other @ image[match] for other in query]) == i:
            total += q @ image[match]
    return total / len(query)


def best_matches(query, column, matching):
    """Compare a query with images, position by position.

    Parameters
    ----------
    query : ndarray of shape (n_positions, D)
        The query's descriptors, of unit length.
    column : Column
        Descriptors of the images, of any length.
    matching : {"sum_max", "mutual"}
        The sum of maxima, or of mutual ones alone.

    Returns
    -------
    ndarray of shape (n_images,)
        Similarities; 0 where query or image have no positions.
    """
    similarities = np.zeros(len(column), column.values.dtype)
    full = np.flatnonzero(column.n_positions)
    if not len(query) or not len(full):
        return similarities
    products = query @ l2_normalize(column.values).T
    starts = column.image_offsets[full]
    compare = _sums_of_maxima if matching == "sum_max" else _sums_of_mutual_maxima
    similarities[full] = compare(products, starts) / len(query)
    return similarities


def _sums_of_maxima(products, starts):
    return np.maximum.reduceat(products, starts, axis=1).sum(axis=0)


def _sums_of_mutual_maxima(products, starts):
    positions = np.arange(len(products))
    matched_by = products.argmax(axis=0)
    sums = []
    for part, back in zip(
        np.split(products, starts[1:], axis=1), np.split(matched_by, starts[1:]), strict=True
    ):
        matches = part.argmax(axis=1)
        sums.append(part[positions, matches][back[matches] == positions].sum())
    return np.array(sums)
