"""Refine the descriptors of a query and of its first results by means of one another.

Shao, Chen, Karpur, Cui, Araujo and Cao, "Global Features are All You Need for Image Retrieval and
Reranking", ICCV 2023, section 3.3. With the first results x_i of a query q, all of unit length, and
the K nearest N(i) of each among them,

    s_ij = x_i . x_j,
    r_i = (x_i + weight sum_{j in N(i)} s_ij x_j) / (1 + weight sum_{j in N(i)} s_ij),
    S_i = q . r_i,
    p = max of r_i, channel by channel, over the K + 1 images with the largest S_i,

and images are ranked by ``(S_i + p . r_i) / 2``, as in the authors' code; here negative s_ij count
as zero, which the code does not ensure.
"""

import numpy as np

__all__ = ["literal_refinement", "refined_similarities"]


def literal_refinement(query, images, n_refining, weight):
    """Return the similarities of one query's first results, image by image."""
    refined = []
    for i, image in enumerate(images):
        similarities = images @ image
        others = [j for j in np.argsort(-similarities, kind="stable") if j != i][:n_refining]
        weights = weight * np.maximum(similarities[others], 0)
        refined.append((image + weights @ images[others]) / (1 + weights.sum()))
    first = np.array([query @ image for image in refined])
    best = np.argsort(-first, kind="stable")[: n_refining + 1]
    expanded = np.max([refined[i] for i in best], axis=0)
    return (first + np.array([expanded @ image for image in refined])) / 2


def refined_similarities(query, images, n_refining, weight):
    """Compare a query with its first results, all of them refined.

    Parameters
    ----------
    query : ndarray of shape (D,)
        The query, of unit length.
    images : ndarray of shape (n, D)
        Its first results, of unit length.
    n_refining : int
        Number of results that refine one another, clipped to those that there are.
    weight : float
        Weight of these results; an image itself has the weight 1.

    Returns
    -------
    ndarray of shape (n,)
        Similarities.
    """
    refined = _refined(images, min(n_refining, len(images) - 1), weight)
    first = refined @ query
    best = np.argsort(-first, kind="stable")[: n_refining + 1]
    return (first + refined @ refined[best].max(axis=0)) / 2


def _refined(images, n_refining, weight):
    """Return the weighted mean of each image and its nearest others."""
    similarities = images @ images.T
    np.fill_diagonal(similarities, -np.inf)
    nearest = np.argsort(-similarities, axis=1, kind="stable")[:, :n_refining]
    weights = np.zeros_like(similarities)
    values = weight * np.maximum(np.take_along_axis(similarities, nearest, axis=1), 0)
    np.put_along_axis(weights, nearest, values.astype(images.dtype), axis=1)
    sums = 1 + weights.sum(axis=1, keepdims=True)
    return (images + weights @ images) / sums
