"""An encoder whose vectors onnxruntime computes, on whatever it runs on."""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from skdeepenc._sklearn import StrOptions, fit_context
from skdeepenc.backbones.running.session import Graph, get_session, run_feeds
from skdeepenc.encoders.base import MapsEncoder
from skdeepenc.export.batches import equal_grids, stacked
from skdeepenc.export.files import has_weights_beside, write_model
from skdeepenc.export.maps import MapInputs, input_name, scales_of
from skdeepenc.export.registry import convert
from skdeepenc.export.writer import GraphWriter
from skdeepenc.maps.coercion import MapsLike

__all__ = ["OnnxEncoder"]

# The attributes of the encoder that an instance's graph was written of, and the graph's key among
# the sessions of this process. What a process has opened is no part of an estimator.
_WRITTEN: WeakKeyDictionary = WeakKeyDictionary()


class OnnxEncoder(TransformerMixin, BaseEstimator):
    """Encode feature maps by an encoder's graph: on a GPU, or faster on the processor.

    Images are encoded in batches of one grid each. The graph is written, and opened, when it is
    first used; copies and pickles hold the encoder alone, and open their own.

    Parameters
    ----------
    encoder : MapsEncoder
        The encoder. One that is fitted needs no further `fit`.
    providers : "auto", str or list, default="auto"
        Where onnxruntime runs, best first; "auto" takes CUDA where it works, else the processor.

    Attributes
    ----------
    encoder_ : MapsEncoder
        A fitted clone of `encoder`, after `fit`.
    fitted_encoder : MapsEncoder
        What `transform` uses: `encoder_`, or `encoder` as it was given.
    n_features_in_ : int
        Number of channels of the layer that is encoded.

    See Also
    --------
    skdeepenc.export.to_onnx : The graph as a file.

    Notes
    -----
    Graphs compute in float32, whatever the maps are in.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.encoders import MOPVLADEncoder
    >>> from skdeepenc.export import OnnxEncoder
    >>> maps = np.random.default_rng(0).random((10, 4, 4, 8), dtype=np.float32)
    >>> encoder = MOPVLADEncoder(n_clusters=3, random_state=0).fit(maps)
    >>> vectors = OnnxEncoder(encoder).transform(maps)
    >>> np.allclose(vectors, encoder.transform(maps), atol=1e-4)
    True
    """

    _parameter_constraints: dict = {
        "encoder": [MapsEncoder],
        "providers": [StrOptions({"auto"}), str, list],
    }

    def __init__(self, encoder: MapsEncoder, providers: str | Sequence[Any] = "auto") -> None:
        self.encoder = encoder
        self.providers = providers

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: MapsLike, y: ArrayLike | None = None) -> Self:
        """Fit a clone of the encoder.

        Parameters
        ----------
        X : FeatureMaps, array-like or sequence
            Maps of the training images; see `skdeepenc.maps.as_feature_maps`.
        y : array-like or None, default=None
            Labels, for encoders that learn from them.

        Returns
        -------
        OnnxEncoder
            Itself.
        """
        self.encoder_ = clone(self.encoder).fit(X, y)
        return self

    def transform(self, X: MapsLike) -> Any:
        """Encode images by the graph.

        Parameters
        ----------
        X : FeatureMaps, array-like or sequence
            Maps of the layers and scales that were fitted.

        Returns
        -------
        ndarray of float32 of shape (n_images, n_features_out)
            One vector per image; those of visual words are dense too.

        Raises
        ------
        ExportError
            If the encoder has no graph.
        """
        check_is_fitted(self)
        encoder = self.fitted_encoder
        maps, places = encoder._check_maps(X, reset=False), _places(encoder)
        session = self._open()
        vectors = np.empty((len(maps), encoder._n_features_out), dtype=np.float32)
        for rows in equal_grids(maps, places.values()):
            feeds = zip(places, stacked(maps[rows], places.values()), strict=True)
            (vectors[rows],) = run_feeds(session, dict(feeds))
        encoder._check_encoded(vectors, 0)
        return vectors

    @property
    def fitted_encoder(self) -> MapsEncoder:
        """What `transform` uses."""
        return self.encoder_ if hasattr(self, "encoder_") else self.encoder

    @property
    def n_features_in_(self) -> int:
        """Number of channels of the layer that is encoded."""
        return self.fitted_encoder.n_features_in_

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the columns, where a data frame was fitted."""
        return self.fitted_encoder.feature_names_in_

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """Name the values of the vectors, as the encoder does.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Not used.

        Returns
        -------
        ndarray of str
            The names.
        """
        check_is_fitted(self)
        return self.fitted_encoder.get_feature_names_out(input_features)

    def _open(self):
        """Return the session of the encoder as it is now: it may have been fitted again."""
        encoder = self.fitted_encoder
        state = vars(encoder)
        written, key = _WRITTEN.get(self, ({}, None))
        same = written.keys() == state.keys() and all(written[x] is state[x] for x in state)
        if not same:
            key = object()
            _WRITTEN[self] = dict(state), key
        return get_session(key, partial(_write, encoder), providers=self.providers)

    def __sklearn_is_fitted__(self):
        try:
            check_is_fitted(self.fitted_encoder)
        except ValueError:  # NotFittedError
            return False
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = self.encoder.__sklearn_tags__()
        tags.input_tags, tags.target_tags = inner.input_tags, inner.target_tags
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _places(encoder):
    """Return the layer and scale, among those that the encoder reads, of every input."""
    return {
        input_name(layer, scale, encoder.n_scales_in_): (layer, place)
        for layer in encoder.layers_in_
        for place, scale in enumerate(scales_of(encoder))
    }


def _write(encoder):
    """Return the graph of an encoder; large weights lie in a folder until they are read."""
    g = GraphWriter()
    vectors = convert(g, encoder, MapInputs(g))
    g.output("vector", vectors, ["N", encoder._n_features_out])
    model = g.model()
    if not has_weights_beside(model, "auto"):
        return Graph(model.SerializeToString())
    folder = tempfile.TemporaryDirectory(prefix="skdeepenc-")
    write_model(model, Path(folder.name) / "encoder.onnx", beside=True)
    return Graph(model.SerializeToString(), Path(folder.name), confirm=folder.cleanup)
