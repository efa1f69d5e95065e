"""The gallery that every ranker keeps: it grows, shrinks, and knows what its images are called.

What an image is, a vector or maps, is the ranker's matter; that labels and names stay beside it is
the same for all.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.validation import check_is_fitted

from skdeepenc._sklearn import fit_context
from skdeepenc._typing import Items, VectorsLike
from skdeepenc.maps.coercion import MapsLike

#: What a ranker takes: vectors, blocks of them for several layers, or maps.
Images: TypeAlias = VectorsLike | Sequence[VectorsLike] | Mapping[str, VectorsLike] | MapsLike


class GalleryKeeper(BaseEstimator):
    """Base of whatever keeps a gallery of images in the form that `_check_images` returns."""

    @property
    def gallery_(self) -> Any:
        """The gallery, as it is compared with queries."""
        return self._gallery

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Images, y: ArrayLike | None = None, *, names: Items | None = None) -> Self:
        """Keep the gallery.

        Parameters
        ----------
        X : array-like, or what else the ranker takes, of length n_gallery
            The images.
        y : array-like of shape (n_gallery,), default=None
            Labels of the images, for `score`; or their names, for `metrics.retrieval_scorer`.
        names : array-like of shape (n_gallery,), default=None
            What the images are called, such as paths, for ``rank(return_names=True)``.

        Returns
        -------
        Ranker
            The ranker itself.
        """
        images = self._check_images(X, reset=True)
        n_images = images.shape[0]
        self.labels_, self.names_ = _checked(y, n_images), _checked(_plain(names), n_images)
        self._keep(images)
        return self

    @fit_context(prefer_skip_nested_validation=False)
    def partial_fit(
        self, X: Images, y: ArrayLike | None = None, *, names: Items | None = None
    ) -> Self:
        """Add images at the end of the gallery; the first call is `fit`.

        Parameters
        ----------
        X : array-like, or what else the ranker takes, of length n_new
            The images.
        y : array-like of shape (n_new,), default=None
            Their labels; needed if, and only if, the images before them have labels.
        names : array-like of shape (n_new,), default=None
            Their names, in the same way.

        Returns
        -------
        Ranker
            The ranker itself.
        """
        if not hasattr(self, "_gallery"):
            return self.fit(X, y, names=names)
        images = self._check_images(X, reset=False)
        n_images = images.shape[0]
        labels = _joined("y", self.labels_, _checked(y, n_images))
        names = _joined("names", self.names_, _checked(_plain(names), n_images))
        self._keep(self._join(self._gallery, images))
        self.labels_, self.names_ = labels, names
        return self

    def remove(self, indices: int | ArrayLike) -> Self:
        """Take images out of the gallery; those behind them move up.

        Parameters
        ----------
        indices : int or array-like of int
            Gallery indices, as `rank` returns them.

        Returns
        -------
        Ranker
            The ranker itself.

        Raises
        ------
        ValueError
            If there is no such image, or none would be left.
        """
        check_is_fitted(self)
        n_gallery = self._gallery.shape[0]
        kept = np.setdiff1d(np.arange(n_gallery), _existing(indices, n_gallery))
        if not len(kept):
            raise ValueError(f"All {n_gallery} images would be gone: fit another gallery instead.")
        self._keep(self._gallery[kept])
        self.labels_, self.names_ = (
            None if values is None else values[kept] for values in (self.labels_, self.names_)
        )
        return self

    def _check_images(self, X, *, reset):
        """Validate images; with `reset` remember what they are like, else compare them with it."""
        raise NotImplementedError

    def _keep(self, images):
        """Keep images as the gallery, and make whatever searching in it needs."""
        self._gallery = images

    def _join(self, gallery, images):
        """Return the gallery and further images behind it."""
        stack = sparse.vstack if sparse.issparse(gallery) else np.concatenate
        return stack([gallery, images])


def _checked(values, n_images):
    """Return labels or names as an array, or None where none are given."""
    if values is None:
        return None
    values = column_or_1d(values)
    check_consistent_length(values, range(n_images))
    return values


def _plain(names):
    """Return names with the text of paths in the place of path objects."""
    if names is None:
        return None
    return [os.fspath(name) if isinstance(name, os.PathLike) else name for name in names]


def _joined(argument, old, new):
    if (old is None) != (new is None):
        raise ValueError(f"Give {argument} for all images of the gallery, or for none of them.")
    return None if old is None else np.concatenate([old, new])


def _existing(indices, n_gallery):
    """Return indices as an array, if the gallery has them all."""
    indices = np.atleast_1d(indices)
    if indices.size and indices.dtype.kind not in "iu":
        raise ValueError(f"indices are whole numbers, not {indices.dtype}.")
    missing = indices[(indices < 0) | (indices >= n_gallery)]
    if len(missing):
        raise ValueError(f"The gallery of {n_gallery} images has no image {missing[0]}.")
    return indices
