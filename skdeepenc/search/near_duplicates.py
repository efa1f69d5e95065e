"""Which images of an index are copies of one another, resized, compressed or cropped.

Two images are linked if each is among the other's nearest and their similarity reaches a threshold;
groups are the connected components. What similarity copies have depends on the encoder, and on how
alike all images of the collection are, so the automatic threshold is measured against that.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from skdeepenc.search.approximate import similar_images

__all__ = [
    "Links",
    "automatic_threshold",
    "equal_links",
    "find_copies",
    "groups_of",
    "mutual_links",
]

#: Among how many nearest images copies are looked for.
N_NEAREST = 10
# Copies are at most this share as far apart as an image and its tenth neighbour usually are.
SHARE_OF_DISTANCE = 0.2
_ROWS_AT_ONCE = 10_000
# Equal vectors may differ in the last digit of float16.
_EQUAL = 0.9995


def find_copies(snapshot, threshold):
    """Find groups of copies among the images of an index.

    Parameters
    ----------
    snapshot : Snapshot
        The index.
    threshold : float or "auto"
        The least similarity of copies.

    Returns
    -------
    dict of str to ndarray
        The columns "group", "image" and "similarity", a row per image that has copies.
    """
    rows = np.flatnonzero(snapshot.is_kept)
    similarities, nearest = _nearest_of(snapshot, rows)
    # Rows are in order, so an image's position among those that count is found by its row.
    links = mutual_links(np.searchsorted(rows, nearest), similarities)
    least = automatic_threshold(similarities) if threshold == "auto" else threshold
    is_alike = links.similarities >= least
    digests = np.array(snapshot.table["digest"].to_pylist(), dtype=str)[rows]
    near, equal = (part[is_alike] for part in links), equal_links(digests)
    linked = Links(*map(np.concatenate, zip(near, equal, strict=True)))
    images, groups, best = groups_of(linked, len(rows))
    names = snapshot.names[rows[images]]
    return {"group": groups, "image": names, "similarity": np.minimum(best, 1)}


def _nearest_of(snapshot, rows):
    """Return similarities and rows of the nearest of some rows, themselves among them."""
    found = [
        similar_images(snapshot, snapshot.take(part), N_NEAREST + 1)
        for part in np.array_split(rows, 1 + len(rows) // _ROWS_AT_ONCE)
    ]
    similarities, nearest = (np.concatenate(part) for part in zip(*found, strict=True))
    return similarities, nearest


class Links(NamedTuple):
    """Pairs of images, each among the nearest of the other.

    Attributes
    ----------
    first, second : ndarray of shape (n_pairs,)
        Positions of the images, the smaller one first.
    similarities : ndarray of shape (n_pairs,)
        How similar they are.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    similarities: NDArray[np.float32]


def mutual_links(nearest, similarities):
    """Return the pairs of images that are among the nearest of one another.

    Parameters
    ----------
    nearest : ndarray of shape (n_images, n_neighbors)
        Positions of each image's nearest, perhaps itself among them.
    similarities : ndarray of shape (n_images, n_neighbors)
        How similar they are.

    Returns
    -------
    Links
        The pairs.
    """
    n_images = len(nearest)
    own = np.broadcast_to(np.arange(n_images)[:, None], nearest.shape)
    low, high = np.minimum(own, nearest).ravel(), np.maximum(own, nearest).ravel()
    pairs, places, counts = np.unique(low * n_images + high, return_index=True, return_counts=True)
    first, second = np.divmod(pairs, n_images)
    is_mutual = (counts == 2) & (first != second)
    return Links(first[is_mutual], second[is_mutual], similarities.ravel()[places[is_mutual]])


def equal_links(digests):
    """Return links between images of equal content, each with the next one.

    Parameters
    ----------
    digests : ndarray of shape (n_images,)
        Digests of the contents.

    Returns
    -------
    Links
        The pairs, of similarity 1.
    """
    order = np.argsort(digests, kind="stable")
    is_same = digests[order][1:] == digests[order][:-1]
    first, second = order[:-1][is_same], order[1:][is_same]
    return Links(first, second, np.ones(len(first), np.float32))


def automatic_threshold(similarities):
    """Return from which similarity on two images of a collection pass as copies.

    Parameters
    ----------
    similarities : ndarray of shape (n_images, n_neighbors)
        Of each image with its nearest, best first.

    Returns
    -------
    float
        1 - (1 - s) / 5, where s is the median of the last column; at most 0.9995.
    """
    if not similarities.size:
        return _EQUAL
    usual = float(np.median(similarities[:, -1]))
    return min(1 - SHARE_OF_DISTANCE * (1 - usual), _EQUAL)


def groups_of(links, n_images):
    """Return images that are linked, directly or through others, and their groups.

    Parameters
    ----------
    links : Links
        The links.
    n_images : int
        How many images there are.

    Returns
    -------
    images, groups : ndarray of shape (n_linked,)
        Positions of images, group by group, and the numbers of the groups from 0, larger groups
        first.
    similarities : ndarray of shape (n_linked,)
        The largest similarity of each of them with another one of its group.
    """
    graph = coo_array(
        (np.ones(len(links.first)), (links.first, links.second)), shape=(n_images, n_images)
    )
    n_components, component = connected_components(graph, directed=False)
    sizes = np.bincount(component, minlength=n_components)
    images = np.flatnonzero(sizes[component] > 1)
    number = np.empty(n_components, dtype=np.intp)
    number[np.argsort(-sizes, kind="stable")] = np.arange(n_components)
    order = np.argsort(number[component[images]], kind="stable")
    images = images[order]
    best = np.full(n_images, -np.inf, dtype=np.float32)
    for side in (links.first, links.second):
        np.maximum.at(best, side, links.similarities)
    return images, number[component[images]], best[images]
