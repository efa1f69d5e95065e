"""An encoder whose vectors onnxruntime computes, on whatever it runs on."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from skdeepenc._sklearn import StrOptions
from skdeepenc.backbones.running.session import run_feeds
from skdeepenc.encoders.base import MapsEncoder
from skdeepenc.export.batches import equal_grids, stacked
from skdeepenc.export.graph_transformer import GraphTransformer
from skdeepenc.export.maps import MapInputs, input_name, scales_of
from skdeepenc.export.registry import convert
from skdeepenc.export.writer import GraphWriter
from skdeepenc.export.written import session_of
from skdeepenc.maps.coercion import MapsLike

__all__ = ["OnnxEncoder"]


class OnnxEncoder(GraphTransformer):
    """Encode feature maps by an encoder's graph: on a GPU, or faster on the processor.

    Images are encoded in batches of one grid each. The graph is written, and opened, when it is
    first used; copies and pickles hold the encoder alone, and open their own.

    Parameters
    ----------
    encoder : MapsEncoder
        The encoder. One that is fitted needs no further `fit`.
    providers : "auto", str or list, default="auto"
        Where onnxruntime runs, best first; "auto" takes CUDA where it works, else the processor.
    approximate : bool, default=False
        Whether methods that have no exact graph, as the clusters of `ClusterMAC`, may be computed
        approximately, as `to_onnx` does; otherwise they are an `ExportError`.

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
    skdeepenc.export.OnnxPipeline : Network and encoder at once, from images on.
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

    _wraps = "encoder"
    _parameter_constraints: dict[str, Any] = {
        "encoder": [MapsEncoder],
        "providers": [StrOptions({"auto"}), str, list],
        "approximate": ["boolean"],
    }

    def __init__(
        self,
        encoder: MapsEncoder,
        providers: str | Sequence[Any] = "auto",
        approximate: bool = False,
    ) -> None:
        self.encoder = encoder
        self.providers = providers
        self.approximate = approximate

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
            If the encoder has no graph, or none that is exact.
        """
        check_is_fitted(self)
        encoder = self._fitted
        maps, places = encoder._check_maps(X, reset=False), _places(encoder)
        write = partial(_write, encoder, self.approximate)
        session = session_of(self, [encoder, self], write, self.providers)
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
        return self._fitted.n_features_in_

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the columns, where a data frame was fitted."""
        return self._fitted.feature_names_in_


def _places(encoder):
    """Return the layer and scale, among those that the encoder reads, of every input."""
    return {
        input_name(layer, scale, encoder.n_scales_in_): (layer, place)
        for layer in encoder.layers_in_
        for place, scale in enumerate(scales_of(encoder))
    }


def _write(encoder, approximate):
    """Return the graph of an encoder."""
    g = GraphWriter()
    vectors = convert(g, encoder, MapInputs(g, approximate))
    g.output("vector", vectors, ["N", encoder._n_features_out])
    return g.model()
