"""K-reciprocal encoding: two images are alike if they share their mutual neighbours.

Zhong, Zheng, Cao and Li, "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR
2017, section 3. With the k nearest images N(p, k) of p, itself before them,

    R(p, k)  = {g in N(p, k) : p in N(g, k)}                                           (Eq. 2)
    R*(p, k) = R(p, k) and every R(q, k/2), q in R(p, k), that has more than two
               thirds of its images in R(p, k)                                         (Eq. 3, 4)
    V_p,g    = exp(-d(p, g)) for g in R*(p, k), else 0, scaled to sum 1                (Eq. 7)
    V_p      = mean of V_g over the k2 images p and its nearest                        (Eq. 11)
    d_J      = 1 - sum_i min(V_p,i, V_g,i) / sum_i max(V_p,i, V_g,i)                   (Eq. 10)
    d*       = (1 - weight) d_J + weight d                                             (Eq. 12)

Where the paper leaves something open it is as in the authors' code: "more than" two thirds, k/2
rounded to the even number, the scaling of V, and distances divided by the largest of each image.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

__all__ = [
    "ReciprocalGraph",
    "expanded_sets",
    "jaccard_distances",
    "literal_distances",
    "mean_of_neighbors",
    "neighbor_sets",
    "owners",
    "reciprocal_sets",
    "scaled_distances",
    "set_weights",
]


def literal_distances(distances, k1, k2, weight):
    """Return d* of all pairs of images, as the equations read, given their distances.

    Parameters
    ----------
    distances : ndarray of shape (n, n)
        Distances from 0 up.
    k1 : int
        Number of neighbours of each image.
    k2 : int
        Number of images in each mean, the image itself included.
    weight : float
        Weight of the distances against the Jaccard distances.

    Returns
    -------
    ndarray of shape (n, n)
        The distances d*.
    """
    distances = distances / distances.max(axis=1, keepdims=True)
    everything = range(len(distances))
    order = [sorted(everything, key=lambda g: (g != p, distances[p, g])) for p in everything]

    def mutual(image, k):
        return {g for g in order[image][: k + 1] if image in order[g][: k + 1]}

    encodings = np.zeros_like(distances)
    for p in everything:
        near = mutual(p, k1)
        expanded = set(near)
        for q in near:
            nearer = mutual(q, int(np.around(k1 / 2)))
            if len(near & nearer) > 2 / 3 * len(nearer):
                expanded |= nearer
        members = sorted(expanded)
        encodings[p, members] = np.exp(-distances[p, members])
        encodings[p] /= encodings[p].sum()
    encodings = np.array([encodings[order[p][:k2]].mean(axis=0) for p in everything])
    jaccard = [
        [1 - np.minimum(p, g).sum() / np.maximum(p, g).sum() for g in encodings] for p in encodings
    ]
    return (1 - weight) * np.array(jaccard) + weight * distances


@dataclass(frozen=True)
class ReciprocalGraph:
    """What the images of a gallery know of one another.

    Attributes
    ----------
    least : ndarray of shape (n,)
        The similarity above which a further image would be among the k1 nearest of each.
    own : ndarray of shape (n,)
        How similar each image is to itself.
    nearer : csr_array of shape (n, n)
        R(q, k1 / 2), rows of ones.
    encodings : csr_array of shape (n, n)
        V before the mean over neighbours.
    means : csr_array of shape (n, n)
        V after it.
    by_member : csr_array of shape (n, n)
        The transpose: one row per member, with the images that have it in their sets.
    """

    least: np.ndarray
    own: np.ndarray
    nearer: sparse.csr_array
    encodings: sparse.csr_array
    means: sparse.csr_array
    by_member: sparse.csr_array

    def __setstate__(self, state):
        self.__dict__.update(state)  # of a file, which may point outside
        for rows in (self.nearer, self.encodings, self.means, self.by_member):
            rows.check_format(full_check=True)


def scaled_distances(distances, smallest, largest):
    """Scale the distances of each image to [0, 1]; 0 is its least distance if that is negative.

    Parameters
    ----------
    distances : ndarray of shape (n, ...)
        Distances of n images.
    smallest, largest : ndarray that broadcasts with distances
        The least and the largest distance of each image.

    Returns
    -------
    ndarray of shape (n, ...)
        Scaled distances; 0 where all those of an image are the same but for rounding.
    """
    lowest = np.minimum(smallest, 0)
    lengths = largest - lowest
    is_noise = lengths <= np.finfo(distances.dtype).eps
    return (distances - lowest) * np.where(is_noise, 0, 1 / np.where(is_noise, 1, lengths))


def neighbor_sets(neighbors, k):
    """Return N(p, k) of all images as rows of ones, each image in its own set.

    Parameters
    ----------
    neighbors : ndarray of int of shape (n, n_neighbors)
        The nearest others of each image, the nearest first.
    k : int
        How many of them to take.

    Returns
    -------
    csr_array of shape (n, n)
        Ones.
    """
    n_images = len(neighbors)
    members = np.hstack([np.arange(n_images)[:, None], neighbors[:, :k]])
    return _ones(members.ravel(), np.arange(n_images + 1) * members.shape[1], n_images)


def reciprocal_sets(neighbors, k):
    """Return R(p, k) of all images as rows of ones (n, n); see `neighbor_sets`."""
    near = neighbor_sets(neighbors, k)
    return near.multiply(near.T).tocsr()


def expanded_sets(near, nearer):
    """Return R* of images as rows of ones.

    Parameters
    ----------
    near : csr_array of shape (n, n_gallery)
        R(p, k) of each image, rows of ones.
    nearer : csr_array of shape (n_gallery, n_gallery)
        R(q, k/2) of each image of the gallery.

    Returns
    -------
    csr_array of shape (n, n_gallery)
        Ones.
    """
    shared = (near @ nearer.T).multiply(near).tocsr()
    sizes = nearer.sum(axis=1)
    shared.data = (3 * shared.data > 2 * sizes[shared.indices]).astype(near.dtype)
    shared.eliminate_zeros()
    every = (near + shared @ nearer).tocsr()
    return _ones(every.indices, every.indptr, every.shape[1])


def owners(sets):
    """Return the row of each member of the sets."""
    return np.repeat(np.arange(sets.shape[0]), np.diff(sets.indptr))


def set_weights(sets, distances, own=0.0):
    """Return V: exp(-d) of the members of each set, scaled to sum 1.

    Parameters
    ----------
    sets : csr_array of shape (n, n_gallery)
        Rows of ones.
    distances : ndarray of shape (n_members,)
        Scaled distances of the members, set by set.
    own : float, default=0.0
        Weight of an image in its own set, for images that are not in the gallery.

    Returns
    -------
    csr_array of shape (n, n_gallery)
        The encodings.
    """
    rows = owners(sets)
    values = np.exp(-distances)
    sums = np.bincount(rows, values, minlength=sets.shape[0]) + own
    values = (values / sums[rows]).astype(distances.dtype)
    return sparse.csr_array((values, sets.indices, sets.indptr), shape=sets.shape)


def mean_of_neighbors(encodings, own, neighbors, k2):
    """Average each image's encoding with those of its k2 - 1 nearest images.

    Parameters
    ----------
    encodings : csr_array of shape (n_gallery, n_gallery)
        Those of the gallery.
    own : csr_array of shape (n, n_gallery)
        Those of the images.
    neighbors : ndarray of int of shape (n, n_neighbors)
        The nearest images of the gallery, itself not among them.
    k2 : int
        Number of images in the mean, fewer where there are fewer neighbours.

    Returns
    -------
    csr_array of shape (n, n_gallery)
        The means.
    """
    others = neighbors[:, : k2 - 1]
    n_images, n_others = others.shape
    chosen = _ones(others.ravel(), np.arange(n_images + 1) * n_others, encodings.shape[0])
    total = own + chosen.astype(own.dtype) @ encodings
    return (total / own.dtype.type(n_others + 1)).tocsr()


def jaccard_distances(encodings, by_member):
    """Return d_J of images with all of the gallery; every encoding sums to 1.

    Then the sum of the maxima is 2 minus that of the minima, and a minimum is above zero only where
    both sets have the member: for each member of an image's set, the images that have it too are
    listed.

    Parameters
    ----------
    encodings : csr_array of shape (n, n_gallery)
        Those of the images.
    by_member : csr_array of shape (n_gallery, n_gallery)
        Those of the gallery: for each member of a set, the images that have it, and its weight.

    Returns
    -------
    ndarray of shape (n, n_gallery)
        The distances.
    """
    shared = np.zeros((encodings.shape[0], by_member.shape[1]), encodings.dtype)
    for image, (start, stop) in enumerate(
        zip(encodings.indptr[:-1], encodings.indptr[1:], strict=True)
    ):
        members, values = encodings.indices[start:stop], encodings.data[start:stop]
        first, lengths = by_member.indptr[members], np.diff(by_member.indptr)[members]
        listed = np.repeat(first - np.cumsum(lengths) + lengths, lengths)
        listed += np.arange(len(listed), dtype=listed.dtype)
        minima = np.minimum(by_member.data[listed], np.repeat(values, lengths))
        shared[image] = np.bincount(by_member.indices[listed], minima, minlength=shared.shape[1])
    return 1 - shared / (2 - shared)


def _ones(members, starts, n_members):
    values = np.ones(len(members), dtype=np.int32)
    return sparse.csr_array((values, members, starts), shape=(len(starts) - 1, n_members))
