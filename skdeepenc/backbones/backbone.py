"""A network that gives the activations of some of its layers.

It remembers where the model is and what was asked of it. Graphs and sessions are made from that
when they are needed, in each process anew.
"""

import hashlib
from dataclasses import replace
from numbers import Integral

import numpy as np

from skdeepenc._lazy import lazy_property
from skdeepenc.backbones.assumptions import USUAL_SIZE, warn_of_assumptions
from skdeepenc.backbones.catalogue import described, described_by_name, locate
from skdeepenc.backbones.contents import known_digest, model_name, read_contents
from skdeepenc.backbones.dense_heads import densify
from skdeepenc.backbones.entrance import check_open
from skdeepenc.backbones.graph import infer_shapes, truncate, with_weights
from skdeepenc.backbones.layers import default_layer, list_layers, resolve_layers
from skdeepenc.backbones.parsed_model import parse_model, recall_model
from skdeepenc.backbones.pooling_mode import floor_pooling
from skdeepenc.backbones.preprocessor_file import spec_beside
from skdeepenc.backbones.projection import append_projection, check_projection
from skdeepenc.backbones.reshapes import free_reshapes
from skdeepenc.backbones.session import get_session, run_session
from skdeepenc.backbones.spec import ModelSpec
from skdeepenc.backbones.tokens import tokens_to_grid
from skdeepenc.exceptions import ModelError
from skdeepenc.images.sizes import both_sides, in_words

# What is found out by reading the model, and not worth carrying to another process.
# The file may lie elsewhere there; that it is the same is checked by its digest, which travels.
_LEFT_BEHIND = {"_source", "_parsed", "_graphs"}
# What depends on where the model lies, or on the projections.
_DERIVED = {"_name", "digest"}


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
        What the model takes and offers; None asks the catalogue, the file, and a
        `preprocessor_config.json` beside it or one folder up.
    preprocessing : Preprocessing, optional
        What is done to pixels first, where the description is wrong or missing.
    projections : dict of str to (array of shape (D,), array of shape (d, D)), optional
        The mean and the components on which a layer is projected inside the graph, by layer.
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
        projections=None,
        providers="auto",
        n_threads=None,
        arena=True,
    ):
        self.model = model
        self._asked_layers = layers
        self._given_spec = spec
        self._given_preprocessing = preprocessing
        self.projections = dict(projections or {})
        self.providers = providers
        self.n_threads = n_threads
        self.arena = arena
        self._last_used = True

    def __getstate__(self):
        """Keep what was asked for, and what was found out; never a graph."""
        return {key: value for key, value in self.__dict__.items() if key not in _LEFT_BEHIND}

    def relocated(self, model):
        """Return the same backbone, its model read from another place.

        Parameters
        ----------
        model : str, path-like or bytes
            Where the model is now.

        Returns
        -------
        Backbone
            A copy.

        Raises
        ------
        ModelError
            If another model is there.
        """
        other = self._altered(model=model)
        if known_digest(other._source) != self._content_digest:
            read_contents(other._source, self._content_digest)
        return other

    def projected(self, projections):
        """Return the same backbone with other projections, by layer."""
        return self._altered(projections=dict(projections))

    def _altered(self, **attributes):
        """Return a copy of the same model in which some attributes are others."""
        known = {key: self.__getstate__()[key] for key in self.__getstate__().keys() - _DERIVED}
        other = object.__new__(type(self))
        other.__dict__.update(known, _content_digest=self._content_digest, **attributes)
        return other

    def __repr__(self):
        """Name the model and the layers that were asked for."""
        model = "<bytes>" if isinstance(self.model, bytes) else repr(str(self.model))
        return f"Backbone({model}, layers={self._asked_layers!r})"

    @lazy_property
    def _source(self):
        """The model's path or content."""
        return self.model if isinstance(self.model, bytes) else locate(self.model)

    @lazy_property
    def _content_digest(self):
        """Which model this is; whoever reads it again must find the same."""
        return self._parsed.digest

    @lazy_property
    def _name(self):
        return model_name(self._source)

    @lazy_property
    def _parsed(self):
        """The graph without its weights, the image size and the description in the file."""
        digest = self.__dict__.get("_content_digest")
        return recall_model(digest) or parse_model(self._source, digest)

    def _read_again(self):
        """Return the whole model, weights and all, the same as it was at first."""
        return read_contents(self._source, self._content_digest, self._parsed.data)

    @lazy_property
    def spec(self):
        """What the model takes and offers."""
        spec = self._given_spec or self.known_spec or self._supposed_spec()
        if self._given_preprocessing is None:
            return spec
        return replace(spec, preprocessing=self._given_preprocessing)

    @lazy_property
    def known_spec(self):
        """What the catalogue, the file itself or one beside it says, or None."""
        spec = described(self._content_digest) or self._parsed.spec
        if spec is None and not isinstance(self._source, bytes):
            spec = spec_beside(self._source, self._name) or described_by_name(self.model)
        return spec

    def _supposed_spec(self):
        """Suppose what most models want, and say what was supposed."""
        entrance = self._parsed.entrance
        husk, size = self._parsed.husk, self._parsed.declared_size or USUAL_SIZE
        layers: list[str] = []
        supposed = {}
        if self._given_preprocessing is None:
            values = "bytes" if entrance.takes_bytes else "ImageNet's mean and deviation"
            supposed["preprocessing=Preprocessing(...)"] = f"RGB, {values}, size {in_words(size)}"
        if self._asked_layers is None:
            dense = densify(free_reshapes(husk, size), size)
            layers = [default_layer(list_layers(husk, dense, size))]
            supposed["layers=[...]"] = f"the layer {layers[0]!r}"
        warn_of_assumptions(self._name, self._content_digest, supposed)
        return ModelSpec(self._name, tuple(layers), size, entrance.usual_preprocessing)

    @property
    def preprocessing(self):
        """What is done to pixels first; a ModelError if the graph cannot take what it makes."""
        self._parsed.entrance.check_preprocessing(self.spec.preprocessing)
        return self.spec.preprocessing

    @lazy_property
    def _graphs(self):
        """The graph for images of the model's own size, and the dense one for all others."""
        own = free_reshapes(self._parsed.husk, self._own_size)
        return {False: own, True: densify(own, self._own_size)}

    @property
    def _own_size(self):
        """The image size that the graph was made for; the description may prefer another."""
        return self._parsed.declared_size or self.spec.input_size

    @lazy_property
    def layer_info(self):
        """Every layer that can be asked for, in the order of the graph."""
        return list_layers(self._parsed.husk, self._graphs[True], self.spec.input_size)

    @lazy_property
    def layers(self):
        """The layers that `run` returns."""
        asked = self._asked_layers
        if asked is None:
            asked = self.spec.layers or [default_layer(self.layer_info, self.spec.patch_size)]
        asked = [asked] if isinstance(asked, str | Integral) else asked
        check_open(asked, self._parsed.closed, self._name)
        return resolve_layers(asked, self.layer_info, self._name)

    @lazy_property
    def digest(self):
        """Digest of the model's content and of what was done to its graph."""
        digest = hashlib.sha256(self._content_digest.encode())
        digest.update(repr((self.spec.input_size, self.spec.floor_pooling)).encode())
        for layer in sorted(self.projections):
            digest.update(layer.encode())
            for part in self.projections[layer]:
                digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()

    @property
    def providers_(self):
        """The providers that really run, best first."""
        return self._session(self._last_used).get_providers()

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
        if pixels.ndim != 4 or pixels.shape[1] != 3 or not pixels.size:
            raise ModelError(
                f"A batch has the shape (batch, 3, height, width), not {pixels.shape}."
            )
        self._last_used = self._takes_dense_graph(pixels.shape[2:])
        session = self._session(self._last_used)
        try:
            outputs = self._run(session, pixels)
            return {
                layer: self._to_grid(layer, output, pixels.shape)
                for layer, output in zip(self.layers, outputs, strict=True)
            }
        except ModelError as error:
            height, width = pixels.shape[2:]
            raise ModelError(
                f"{self._name} does not run on images of {height} x {width} (its own size is "
                f"{in_words(self.spec.input_size)}): {error}"
            ) from error

    def _takes_dense_graph(self, image_shape):
        """Tell whether images of this size take the dense graph."""
        own_size = tuple(image_shape) == both_sides(self._own_size)
        return not own_size or self.spec.floor_pooling or not self._has_dense_head

    @lazy_property
    def _has_dense_head(self):
        """Whether the two graphs differ in what the layers need.

        Fully connected layers read a batch at once; as convolutions they read their weights again
        for every image, and take six times as long for images of one position.
        """
        own, dense = (truncate(self._graphs[key], self.layers) for key in (False, True))
        return list(own.graph.node) != list(dense.graph.node)

    def _run(self, session, pixels):
        if self._takes_batches:
            return run_session(session, pixels)
        singles = [run_session(session, pixels[i : i + 1]) for i in range(len(pixels))]
        return [np.concatenate(outputs) for outputs in zip(*singles, strict=True)]

    @lazy_property
    def _takes_batches(self):
        """Whether the graph takes several images; some exporters write a batch of one into it."""
        shapes = infer_shapes(truncate(self._graphs[True], self.layers), self._own_size, 2)
        return all(shapes[layer][0] == 2 for layer in self.layers if layer in shapes)

    def _session(self, dense):
        """Return this process's session of one of the two graphs."""
        key = (self.digest, self.layers, dense)
        return get_session(
            key,
            lambda: self._build(dense),
            providers=self.providers,
            n_threads=self.n_threads,
            arena=self.arena,
        )

    def _build(self, dense):
        """Return what a session needs: the serialized graph, and where its other weights lie.

        Last comes what tells, once it is open, whether those were the ones that were digested.
        """
        husk, outputs = self._graphs[dense], []
        contents = self._read_again()
        for layer in self.layers:
            if layer in self.projections:
                husk, layer = self._project(husk, layer)
            outputs.append(layer)
        husk = floor_pooling(husk) if self.spec.floor_pooling else husk
        graph = with_weights(truncate(husk, outputs), contents.model).SerializeToString()
        return graph, contents.folder, contents.confirm

    def _project(self, husk, layer):
        mean, components = self.projections[layer]
        shape = infer_shapes(husk, self.spec.input_size).get(layer)
        if shape is None:
            raise ModelError(f"The size of {layer!r} is not known, so it cannot be projected.")
        check_projection(layer, mean, components, self._channels[layer])
        return append_projection(husk, layer, len(shape), mean, components)

    @lazy_property
    def _channels(self):
        return {layer.name: layer.channels for layer in self.layer_info}

    def _to_grid(self, layer, output, batch_shape):
        """Turn a layer's output into (batch, rows, columns, channels), and check it."""
        if output.ndim == 4:
            output = output.transpose(0, 2, 3, 1)
        elif output.ndim == 3:
            output = tokens_to_grid(output, batch_shape[2:], self.spec.patch_size)
        elif output.ndim == 2:
            output = output[:, None, None, :]
        projection = self.projections.get(layer)
        expected = self._channels[layer] if projection is None else len(projection[1])
        fits = output.ndim == 4 and len(output) == batch_shape[0]
        if not fits or expected not in (None, output.shape[3]):
            raise ModelError(
                f"{layer!r} gives {output.shape} for {batch_shape[0]} images and {expected} "
                "channels; layers before it may be free of that size."
            )
        return np.ascontiguousarray(output, dtype=np.float32)
