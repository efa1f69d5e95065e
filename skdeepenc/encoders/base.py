"""The base of encoders: whatever is the same for all of them.

An encoder turns the maps of each image into one vector. The base lets in everything that the
documentation says encoders accept, compares it with what was fitted, cuts it into batches that fit
the working memory, allocates the result once, and names its columns. A subclass only says how one
batch becomes vectors.
"""

import inspect
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from skdeepenc._progress import progress_bar
from skdeepenc._sklearn import available_if, validate_data
from skdeepenc._typing import Floats
from skdeepenc.arrays.threads import count_jobs, in_jobs
from skdeepenc.exceptions import FeatureMapsError, NonFiniteError
from skdeepenc.maps import as_feature_maps
from skdeepenc.maps.batches import unread_batches
from skdeepenc.maps.checks import check_finite, check_magnitude
from skdeepenc.maps.coercion import MapsLike, is_table
from skdeepenc.maps.labels import labelled

__all__ = ["MapsEncoder"]


def _splits(encoder):
    return hasattr(encoder, "_split")


class MapsEncoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of encoders of feature maps.

    A subclass has at least the parameters `layer` and `scales`, calls
    ``maps = self._check_maps(X, reset=True)`` first in `fit`, and implements

    - ``_encode(maps)``: the vectors, of shape (len(maps), _n_features_out), of one batch, in memory
      and in float32 or float64. It must be a pure function of what was fitted and of each image
      alone: no image may depend on its batch. An image without descriptors gets zeros.
    - ``_n_features_out``: the width of the vectors, a property that reads fitted arrays.
    - ``_bytes_per_image(maps)``, where `_encode` needs much memory beside its input and output: how
      much for each image, so that batches are small enough. None needs saying.
    - ``_split(maps, direction)``, where vectors are sums over positions: the shares of an image's
      positions in the product of its vector with a direction, for `contributions`.
    - ``_largest(dtype)``, where `fit` cannot learn from values of any size: the largest magnitude
      of a float type. `fit` and `transform` then refuse the same images.
    - ``_choose_layers(maps)``, where other layers are wanted than the one that `layer` names.

    Parameters `n_jobs` (threads, each with one batch of images; see
    `skdeepenc.arrays.threads.in_jobs`) and `verbose` (a progress bar) work where a subclass has
    them.

    Attributes
    ----------
    n_features_in_ : int
        Number of channels of the (first) layer that is encoded.
    layers_in_ : tuple of str
        Names of the layers that are encoded.
    n_scales_in_ : int
        Number of scales of the maps that were fitted, before `scales` chooses.
    """

    _parameter_constraints: dict[str, Any] = {"layer": [str, None], "scales": ["array-like", None]}
    _largest: Any = None

    def transform(self, X: MapsLike) -> Any:
        """Encode images.

        Parameters
        ----------
        X : FeatureMaps, array-like or sequence
            Maps of the layers and scales that were fitted; see `as_feature_maps`.

        Returns
        -------
        ndarray of shape (n_images, n_features_out)
            One vector per image, in the float type of `X`.
        """
        check_is_fitted(self)
        maps = self._check_maps(X, reset=False)
        vectors = self._gather(maps, self._n_features_out, self._encode)
        return labelled(self, vectors, X)

    @available_if(_splits)
    def contributions(self, X: MapsLike, directions: ArrayLike) -> list[list[Floats]]:
        """Split the product of each image's vector with a direction over the image's positions.

        With the vector of another image as the direction, that tells what the two have in common,
        and where. The shares of an image add up to the product exactly.

        Parameters
        ----------
        X : FeatureMaps, array-like or sequence
            Maps of the layers and scales that were fitted; see `as_feature_maps`.
        directions : array-like of shape (n_images, n_features_out)
            One direction per image.

        Returns
        -------
        list of list of ndarray of shape (H, W)
            For each image the shares of its positions at each scale; of several poolings, those of
            one after those of the other.
        """
        check_is_fitted(self)
        maps = self._check_maps(X, reset=False)
        given = check_array(directions, dtype=[np.float64, np.float32])
        if given.shape != (len(maps), self._n_features_out):
            raise FeatureMapsError(
                f"directions has the shape {given.shape}, but {len(maps)} images have vectors "
                f"of {self._n_features_out} values: give one per image."
            )
        images = range(len(maps))
        return [self._split(next(maps[[image]].iter_batches()), given[image]) for image in images]

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """Return the names of the columns: the class and a number.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns of the table that was fitted. A pipeline gives those of the
            channels of all layers, of which encoders choose.

        Returns
        -------
        ndarray of str
            One name per column.
        """
        check_is_fitted(self)
        n_names = self.n_features_in_ if input_features is None else np.size(input_features)
        if n_names == getattr(self, "_n_channels_given", None) != self.n_features_in_:
            input_features = None
        return super().get_feature_names_out(input_features)

    def _check_maps(self, X, *, reset):
        """Return `X` as the maps of the layers and scales to encode.

        Parameters
        ----------
        X : FeatureMaps, array-like or sequence
            What encoders accept.
        reset : bool
            Whether to remember what is given (in `fit`) or to compare it with what was.

        Returns
        -------
        FeatureMaps
            The chosen layers and scales.
        """
        if is_table(X):
            if getattr(X, "dtype", None) == np.float16:  # else it would become float64
                X = X.astype(np.float32)
            X = validate_data(self, X, dtype=[np.float64, np.float32], reset=reset)
            return self._check_magnitude(self._match_fitted(as_feature_maps(X), reset=reset))
        maps = as_feature_maps(X)
        if len(maps) == 0:
            raise FeatureMapsError(
                f"Found no image (shape={maps.shape}) while a minimum of 1 is required by "
                f"{type(self).__name__}."
            )
        chosen = self._match_fitted(maps, reset=reset)
        if reset:  # sets n_features_in_
            validate_data(self, np.empty((1, self._channels_in[0])), skip_check_array=True)
        if chosen.in_memory:
            check_finite(chosen)
        return self._check_magnitude(chosen)

    def _check_magnitude(self, maps):
        """Return maps; those in memory must not be too large for `fit` to learn from."""
        if self._largest is not None and maps.in_memory:
            check_magnitude(maps, self._largest)
        return maps

    def _match_fitted(self, maps, *, reset):
        """Choose layers and scales; remember them, or compare them with those that were fitted."""
        if reset:
            self.layers_in_ = tuple(self._choose_layers(maps))
            self.n_scales_in_ = maps.n_scales
            self._n_channels_given = sum(map(maps.n_channels, maps.layers))
        elif maps.n_scales != self.n_scales_in_:
            raise FeatureMapsError(
                f"The maps have {maps.n_scales} scales, but {type(self).__name__} was fitted on "
                f"{self.n_scales_in_}."
            )
        chosen = maps.select(layers=self.layers_in_, scales=self.scales)
        channels = tuple(chosen.n_channels(layer) for layer in chosen.layers)
        if reset:
            self._channels_in = channels
        elif channels != self._channels_in:
            raise FeatureMapsError(
                f"Layers {self.layers_in_} have {channels} channels, but {type(self).__name__} "
                f"was fitted on {self._channels_in}."
            )
        return chosen

    def _choose_layers(self, maps):
        """Return the names of the layers to encode: the one named, or the deepest."""
        return (maps.deepest_layer if self.layer is None else self.layer,)

    def _bytes_per_image(self, maps):
        """Return what `_encode` needs for each image beside its input and output, in bytes."""

    def _encode(self, maps):
        """Return the vectors of one batch."""
        raise NotImplementedError

    def __setstate__(self, state):
        """Give parameters that an earlier version did not know their defaults."""
        known = inspect.signature(type(self)).parameters.values()
        super().__setstate__({**{each.name: each.default for each in known}, **state})

    def _gather(self, maps, n_features, encode):
        """Return the vectors that `encode` gives of all batches, allocated once."""
        dtype = np.result_type(maps.dtype, np.float32)
        vectors = np.empty((len(maps), n_features), dtype=dtype)
        for images, encoded in self._encoded_batches(maps, encode):
            vectors[images] = encoded
        return vectors

    def _encoded_batches(self, maps, encode):
        """Yield the numbers (a slice) and the vectors of the images of each batch, in order."""
        start = 0
        with progress_bar(
            total=len(maps), verbose=getattr(self, "verbose", 0), description="encode", unit="image"
        ) as progress:
            for encoded in self._over_batches(maps, encode):
                stop = start + encoded.shape[0]
                self._check_encoded(encoded, start)
                yield slice(start, stop), encoded
                progress.update(stop - start)
                start = stop

    def _check_encoded(self, vectors, first_image):
        """Raise an error that names the first image whose vector is not finite."""
        if issparse(vectors):  # counts
            return
        # One sum finds nearly always that all is well, without an array of truth values.
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(np.sum(vectors)) or np.isfinite(vectors).all():
                return
        image = first_image + np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0]
        raise NonFiniteError(
            f"{type(self).__name__} encodes image {image} to NaN or infinity: its activations are "
            f"too large for {vectors.dtype}. Scale them down, for instance with l2_normalize, or "
            "give float64."
        )

    def _over_batches(self, maps, work):
        """Return a generator of what `work` makes of each batch, in order, in threads."""
        n_jobs = count_jobs(getattr(self, "n_jobs", None))
        memory = get_config()["working_memory"] / n_jobs
        # Jobs read their batches: one that came with the job would live on while the next is read.
        unread = unread_batches(maps, memory, self._bytes_per_image(maps), self._largest)
        return in_jobs(partial(_read_and_work, work), unread, n_jobs)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.three_d_array = True
        return tags


def _read_and_work(work, load):
    with np.errstate(over="ignore", invalid="ignore"):  # told once, with the image's number
        return work(load())
