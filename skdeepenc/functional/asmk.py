"""The aggregated selective match kernel: images match where their residuals of a word agree.

Tolias, Avrithis and Jegou, "To aggregate or not to aggregate: selective match kernels for image
search", ICCV 2013, sections 3.2 to 4. The descriptors of an image X that have the visual word c for
their nearest are aggregated to one residual of unit length,

    V_c(X) = sum of x - c over those x,   scaled to unit length, or, binary, sign(V_c) / sqrt(D),

and two images are compared word by word,

    K(X, Z) = gamma(X) gamma(Z) sum_c sigma(V_c(X) . V_c(Z)),
    sigma(u) = sign(u) |u|^alpha   for u > threshold,   0 elsewhere,

with gamma(X) such that K(X, X) = 1: every word that an image has is as similar to itself as can be,
so it is the inverse square root of their number. As in the authors' code the sign of 0 is -1.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from skdeepenc.arrays.segments import segment_mean

__all__ = ["WordResiduals", "aggregate_residuals", "literal_kernel", "match_kernel", "selectivity"]

# Products of this many pairs of residuals are weighed and added at a time.
_PAIRS_AT_ONCE = 1 << 18
_WORD_BITS = 64


def literal_kernel(first, second, words, *, n_assigned=1, alpha=3.0, threshold=0.0, binary=False):
    """Compare two images, word by word, as the equations read.

    Parameters
    ----------
    first, second : ndarray of shape (n, D)
        Descriptors of the two images.
    words : ndarray of shape (K, D)
        The visual words.
    n_assigned : int, default=1
        How many words each descriptor of the first image has (multiple assignment of queries).
    alpha, threshold : float
        As in the equations.
    binary : bool, default=False
        Whether residuals are compared by their signs.

    Returns
    -------
    float
        K of the equation.
    """

    def residuals(descriptors, n_words):
        own: dict[int, np.ndarray] = {}
        for x in descriptors:
            distances = ((x - words) ** 2).sum(axis=1)
            for c in np.argsort(distances, kind="stable")[:n_words]:
                own[c] = own.get(c, 0) + x - words[c]
        if binary:
            return {c: np.where(v > 0, 1, -1) / np.sqrt(len(v)) for c, v in own.items()}
        return {c: v / (np.linalg.norm(v) or 1) for c, v in own.items()}

    x, z = residuals(first, n_assigned), residuals(second, 1)
    total = 0.0
    for c in x.keys() & z.keys():
        u = x[c] @ z[c]
        total += np.sign(u) * abs(u) ** alpha if u > threshold else 0
    return total / np.sqrt(max(len(x), 1) * max(len(z), 1))


@dataclass(frozen=True)
class WordResiduals:
    """The aggregated residuals of images: an inverted file, sorted by word.

    Attributes
    ----------
    words : ndarray of int of shape (n_residuals,)
        The word of each residual, in ascending order.
    images : ndarray of int of shape (n_residuals,)
        The image of each, in ascending order within a word.
    residuals : ndarray of shape (n_residuals, D), or (n_residuals, ceil(D / 64)) of uint64
        Of unit length; or their signs, 64 per number.
    means : ndarray of shape (n_images, D)
        The mean descriptor of each image, by which it is recognised.
    """

    words: np.ndarray
    images: np.ndarray
    residuals: np.ndarray
    means: np.ndarray

    @property
    def shape(self):
        """Number of images, and of channels."""
        return self.means.shape

    @property
    def n_words(self):
        """How many words each image has."""
        return np.bincount(self.images, minlength=len(self.means))

    def __getitem__(self, chosen):
        """Return some of the images, each once, in the order asked for."""
        chosen = np.arange(len(self.means))[chosen]
        new = np.full(len(self.means), -1)
        new[chosen] = np.arange(len(chosen))
        kept = new[self.images] >= 0
        images = new[self.images[kept]]
        part = WordResiduals(self.words[kept], images, self.residuals[kept], self.means[chosen])
        return part if (np.diff(chosen) > 0).all() else part.sorted()

    @classmethod
    def concatenate(cls, parts):
        """Return the images of all parts, one after the other."""
        parts = list(parts)
        firsts = np.cumsum([0, *(len(part.means) for part in parts)])
        return cls(
            np.concatenate([part.words for part in parts]),
            np.concatenate(
                [part.images + first for part, first in zip(parts, firsts, strict=False)]
            ),
            np.concatenate([part.residuals for part in parts]),
            np.concatenate([part.means for part in parts]),
        ).sorted()

    def sorted(self):
        """Return the same, sorted by word, and within a word by image."""
        order = np.lexsort((self.images, self.words))
        return WordResiduals(
            self.words[order], self.images[order], self.residuals[order], self.means
        )


def aggregate_residuals(column, words, assigned, *, binary=False):
    """Aggregate the residuals of images.

    Parameters
    ----------
    column : Column
        Descriptors of the images.
    words : ndarray of shape (K, D)
        The visual words.
    assigned : ndarray of int of shape (n_descriptors, r)
        The words of each descriptor.
    binary : bool, default=False
        Whether to keep signs alone.

    Returns
    -------
    WordResiduals
        The images' residuals.
    """
    n_images, (n_descriptors, n_assigned) = len(column), assigned.shape
    of_descriptors = np.repeat(np.arange(n_images), column.n_positions)
    keys, places = np.unique(
        assigned.astype(np.int64) * n_images + of_descriptors[:, None], return_inverse=True
    )
    own_words, own_images = np.divmod(keys, n_images)
    starts = np.arange(n_descriptors + 1) * n_assigned
    members = sparse.csr_array(
        (np.ones(places.size, column.values.dtype), places.ravel(), starts),
        shape=(n_descriptors, len(keys)),
    )
    counts = np.bincount(places.ravel(), minlength=len(keys))[:, None].astype(column.values.dtype)
    centers = words[own_words]
    sums = members.T @ column.values
    sums -= counts * centers
    means = segment_mean(column.values, column.image_offsets)
    residuals = packed_signs(sums) if binary else unit_residuals(sums, counts * centers)
    return WordResiduals(own_words, own_images, residuals, means)


def unit_residuals(sums, centers):
    """Bring residuals to unit length, but for those that are nothing but rounding."""
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    noise = 8 * np.finfo(sums.dtype).eps * np.linalg.norm(centers, axis=1, keepdims=True)
    return sums * np.divide(1, norms, out=np.zeros_like(norms), where=norms > noise)


def packed_signs(vectors):
    """Return which values are above zero as bits, 64 per number, padded with zeros."""
    n_channels = vectors.shape[1]
    bits = np.zeros((len(vectors), -(-n_channels // _WORD_BITS) * _WORD_BITS), dtype=bool)
    bits[:, :n_channels] = vectors > 0
    return np.packbits(bits, axis=1).view(np.uint64)


def selectivity(similarities, alpha, threshold):
    """Return sign(u) |u|^alpha for similarities u above the threshold, else 0."""
    weighed = np.abs(similarities)
    np.power(weighed, similarities.dtype.type(alpha), out=weighed)
    np.copysign(weighed, similarities, out=weighed)
    weighed[~(similarities > threshold)] = 0
    return weighed


def match_kernel(queries, gallery, *, alpha=3.0, threshold=0.0):
    """Compare images with those of a gallery.

    Parameters
    ----------
    queries, gallery : WordResiduals
        The images; both binary, or neither.
    alpha : float, default=3.0
        Exponent of the similarity of residuals.
    threshold : float, default=0.0
        Residuals match only where they are more similar than this.

    Returns
    -------
    ndarray of shape (n_queries, n_gallery)
        The kernel.
    """
    shape = (len(queries.means), len(gallery.means))
    totals = np.zeros(shape[0] * shape[1])
    for similarities, pairs in _matches(queries, gallery):
        weights = selectivity(similarities, alpha, threshold)
        np.add.at(totals, pairs, weights)
    norms = [np.sqrt(np.maximum(images.n_words, 1)) for images in (queries, gallery)]
    kernel = totals.reshape(shape) / norms[0][:, None] / norms[1]
    return kernel.astype(gallery.means.dtype)


def _matches(queries, gallery):
    """Yield similarities of residuals of the same word, and the pair of images each counts for."""
    compare = _hamming_similarities if gallery.residuals.dtype == np.uint64 else _products
    n_channels, n_gallery = gallery.means.shape[1], len(gallery.means)
    words, firsts = np.unique(queries.words, return_index=True)
    bounds = zip(
        firsts,
        np.append(firsts[1:], len(queries.words)),
        np.searchsorted(gallery.words, words),
        np.searchsorted(gallery.words, words, side="right"),
        strict=True,
    )
    found, pairs, n_found = [], [], 0
    for first, last, start, stop in bounds:
        if start == stop:
            continue
        asked, listed = slice(first, last), slice(start, stop)
        found.append(compare(queries.residuals[asked], gallery.residuals[listed], n_channels))
        pairs.append(np.add.outer(queries.images[asked] * n_gallery, gallery.images[listed]))
        n_found += found[-1].size
        if n_found > _PAIRS_AT_ONCE:
            yield _flat(found), _flat(pairs)
            found, pairs, n_found = [], [], 0
    if n_found:
        yield _flat(found), _flat(pairs)


def _flat(arrays):
    return np.concatenate([array.ravel() for array in arrays])


def _products(queries, gallery, n_channels):
    return queries @ gallery.T


def _hamming_similarities(queries, gallery, n_channels):
    differing = np.bitwise_count(queries[:, None] ^ gallery).sum(axis=2, dtype=np.int64)
    return 1 - 2 * differing / n_channels
