"""A network that gives the activations of some of its layers.

It remembers where the model is and what was asked of it. Graphs and sessions are made from that
when they are needed, in each process anew.
"""

import hashlib
import warnings
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from skdeepenc.backbones.graph import declared_size, truncate
from skdeepenc.backbones.layers import default_layer, list_layers, resolve_layers
from skdeepenc.backbones.model_file import content_digest, model_name, read_model
from skdeepenc.backbones.session import get_session, run_session
from skdeepenc.backbones.spec import ModelSpec, read_spec
from skdeepenc.exceptions import ModelError, ModelWarning

_USUAL_SIZE = 224


class Backbone:
    """Run a network, cut after the deepest layer that is asked for.

    Parameters
    ----------
    model : str, path-like or bytes, default="embedded"
        "embedded", the small network inside the package; a name of the catalogue; the path of an
        ONNX file; or the content of one.
    layers : str, int, or list of them, optional
        Names of tensors, or positions among all layers (negative ones count from the end); None
        takes the layers that the model's description recommends.
    spec : ModelSpec, optional
        What the model takes and offers; None asks the catalogue and the file.
    preprocessing : Preprocessing, optional
        What is done to pixels first, where the description is wrong or missing.
    providers : "auto" or list, default="auto"
        Execution providers of onnxruntime, best first; "auto" takes the GPU where one runs.
    n_threads : int, optional
        Threads of the network; None takes what this process may use.
    arena : bool, default=True
        Whether memory of past runs is kept. Pyramids want it off: half the memory at equal speed.

    Attributes
    ----------
    spec : ModelSpec
        What the model takes and offers.
    layers : tuple of str
        The layers that `run` returns.
    layer_info : list of LayerInfo
        Every layer that can be asked for.
    digest : str
        Changes whenever the activations could: a digest of the model and of what was done to it.
    providers_ : list of str
        The providers that really run.

    Examples
    --------
    >>> import numpy as np
    >>> import onnx
    >>> from onnx import helper
    >>> from skdeepenc.backbones import Backbone, ModelSpec
    >>> graph = helper.make_graph(
    ...     [helper.make_node("MaxPool", ["x"], ["pool"], kernel_shape=[4, 4], strides=[4, 4])],
    ...     "example",
    ...     [helper.make_tensor_value_info("x", 1, ["n", 3, 8, 8])],
    ...     [helper.make_tensor_value_info("pool", 1, ["n", 3, 2, 2])],
    ... )
    >>> model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    >>> backbone = Backbone(model.SerializeToString(), spec=ModelSpec("example", ("pool",), 8))
    >>> backbone.run(np.zeros((2, 3, 16, 12), dtype=np.float32))["pool"].shape
    (2, 4, 3, 3)
    """

    def __init__(
        self,
        model="embedded",
        *,
        layers=None,
        spec=None,
        preprocessing=None,
        providers="auto",
        n_threads=None,
        arena=True,
    ):
        self._source = model if isinstance(model, bytes) else _locate(model)
        self._asked_layers = layers
        self._given_spec = spec
        self._given_preprocessing = preprocessing
        self.providers = providers
        self.n_threads = n_threads
        self.arena = arena

    def __getstate__(self):
        """Keep what was asked for, and what was found out cheaply; never a parsed graph."""
        state = self.__dict__.copy()
        state.pop("_model", None)
        return state

    @cached_property
    def _model(self):
        return read_model(self._source)

    @cached_property
    def spec(self):
        """What the model takes and offers."""
        spec = self._given_spec or read_spec(self._model) or self._undescribed_spec()
        if self._given_preprocessing is None:
            return spec
        return replace(spec, preprocessing=self._given_preprocessing)

    def _undescribed_spec(self):
        """Suppose what most models want, and say that it was supposed."""
        name = model_name(self._source)
        size = declared_size(self._model) or _USUAL_SIZE
        spec = ModelSpec(name, (default_layer(list_layers(self._model, size)),), size)
        warnings.warn(
            f"Nothing says how {name} wants its images: taking RGB, ImageNet's mean and "
            f"deviation, side {size}, and the layer {spec.layers[0]!r}. If that is wrong, give "
            "preprocessing=Preprocessing(...) and layers=[...], or a whole spec=ModelSpec(...).",
            ModelWarning,
            stacklevel=3,
        )
        return spec

    @cached_property
    def layer_info(self):
        """Every layer that can be asked for, in the order of the graph."""
        return list_layers(self._model, self.spec.input_size)

    @cached_property
    def layers(self):
        """The layers that `run` returns."""
        asked = self.spec.layers if self._asked_layers is None else self._asked_layers
        asked = [asked] if isinstance(asked, str | int) else asked
        return resolve_layers(asked, self.layer_info, model_name(self._source))

    @cached_property
    def digest(self):
        """Digest of the model's content and of what was done to its graph."""
        return content_digest(self._source)

    @property
    def providers_(self):
        """The providers that really run, best first."""
        return self._session().get_providers()

    def _session(self):
        key = hashlib.sha256(repr((self.digest, self.layers)).encode()).hexdigest()
        return get_session(
            key,
            self._build,
            providers=self.providers,
            n_threads=self.n_threads,
            arena=self.arena,
        )

    def _build(self):
        """Cut the graph; return it with the folder of its external weights."""
        folder = None if isinstance(self._source, bytes) else Path(self._source).resolve().parent
        return truncate(self._model, self.layers).SerializeToString(), folder

    def run(self, pixels):
        """Compute the activations of a batch.

        Parameters
        ----------
        pixels : array of shape (batch, 3, height, width), float32
            Images as `spec.preprocessing` makes them.

        Returns
        -------
        dict of str to array of shape (batch, rows, columns, channels), float32
            The activations of every layer in `layers`; a vector is a grid of one position.

        Raises
        ------
        ModelError
            If the model does not run on images of this size.
        """
        pixels = np.ascontiguousarray(pixels, dtype=np.float32)
        try:
            outputs = run_session(self._session(), pixels)
        except ModelError as error:
            height, width = pixels.shape[2:]
            raise ModelError(
                f"{model_name(self._source)} does not run on images of {height} x {width} "
                f"(its own side is {self.spec.input_size}): {error}"
            ) from error
        return {
            layer: _channels_last(output)
            for layer, output in zip(self.layers, outputs, strict=True)
        }


def _locate(model):
    """Return the path of a model given by name or path."""
    path = Path(model)
    if path.is_file():
        return str(path)
    raise ModelError(f"{model!r} is no file.")


def _channels_last(activations):
    """Turn a layer's output into (batch, rows, columns, channels)."""
    if activations.ndim == 2:
        return activations[:, None, None, :]
    return np.ascontiguousarray(activations.transpose(0, 2, 3, 1))
