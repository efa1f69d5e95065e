"""A network that gives the activations of some of its layers.

It remembers where the model is and what was asked of it. Graphs and sessions are made from that
when they are needed, in each process anew.
"""

import hashlib
import math
from dataclasses import replace
from numbers import Integral

import numpy as np

from skdeepenc._lazy import lazy_property
from skdeepenc.backbones.anatomy.blocked import append_order
from skdeepenc.backbones.anatomy.examine import examine
from skdeepenc.backbones.anatomy.quantisation import append_values, depends_on_neighbours
from skdeepenc.backbones.describing.assumptions import USUAL_SIZE, warn_of_assumptions
from skdeepenc.backbones.describing.catalogue import described, described_by_name, locate
from skdeepenc.backbones.describing.preprocessor_file import spec_beside
from skdeepenc.backbones.describing.spec import ModelSpec
from skdeepenc.backbones.files.contents import known_digest, model_name, read_contents
from skdeepenc.backbones.graphs.bounds import check_memory
from skdeepenc.backbones.graphs.graph import truncate
from skdeepenc.backbones.graphs.shapes import infer_shapes
from skdeepenc.backbones.graphs.skeleton import with_weights
from skdeepenc.backbones.layers import default_layer, list_layers, resolve_layers
from skdeepenc.backbones.parsed_model import parse_model, recall_model
from skdeepenc.backbones.running.batching import run_in_parts, seems_free, takes_any_number
from skdeepenc.backbones.running.session import Graph, get_session, run_session
from skdeepenc.backbones.surgery.entrance import check_open
from skdeepenc.backbones.surgery.forms import DENSE, OWN, SIZED, known_surgery
from skdeepenc.backbones.surgery.pooling_mode import floor_pooling
from skdeepenc.backbones.surgery.projection import append_projection, check_projection
from skdeepenc.backbones.transformers.size_feeds import (
    SizeFeeds,
    declare_feeds,
    known_tables,
    read_tables,
)
from skdeepenc.backbones.transformers.size_walk import frozen_size
from skdeepenc.backbones.transformers.tokens import (
    TokenLayout,
    describe_tokens,
    supposed_layout,
    tokens_to_grid,
)
from skdeepenc.exceptions import ModelError
from skdeepenc.images.sizes import both_sides, in_words, one_size

# What is found out by reading the model, and not worth carrying to another process.
# The file may lie elsewhere there; that it is the same is checked by its digest, which travels.
_LEFT_BEHIND = {"_source", "_parsed", "_surgery", "_anatomy", "_size_feeds"}
# What depends on where the model lies, or on the projections.
_DERIVED = {"_name", "digest"}


class Backbone:
    """Run a network, cut after the deepest layer that is asked for.

    Parameters
    ----------
    model : str, path-like or bytes, default="embedded"
        "embedded", the small network inside the package; a name of the catalogue; one on the hub,
        ``hf://owner/name[@revision][/path]``; the path of an ONNX file; or the content of one.
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
        self._tried_batches = None

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

    def content(self):
        """Return the model as the content of an ONNX file, from which it can be opened anywhere.

        Returns
        -------
        bytes
            The file.

        Raises
        ------
        ModelError
            If the model keeps weights in other files, or is no longer what it was.
        """
        contents = self._read_again()
        if contents.folder is not None:
            raise ModelError(
                f"{self._name} keeps weights in other files, so one file cannot hold it. Save it "
                "whole first: onnx.save(onnx.load(PATH), NEW_PATH)."
            )
        return contents.data

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
        entrance, size = self._parsed.entrance, self._made_for or USUAL_SIZE
        layers: list[str] = []
        supposed = {}
        if self._given_preprocessing is None:
            values = "bytes" if entrance.takes_bytes else "ImageNet's mean and deviation"
            supposed["preprocessing=Preprocessing(...)"] = f"RGB, {values}, size {in_words(size)}"
        if self._asked_layers is None:
            layers = [self._supposed_layer(size)]
            supposed["layers=[...]"] = f"the layer {layers[0]!r}"
        warn_of_assumptions(self._name, self._content_digest, supposed)
        return ModelSpec(self._name, tuple(layers), size, entrance.usual_preprocessing)

    def _supposed_layer(self, size):
        surgery = self._operate(size)
        anatomy = examine(surgery.skeletons[DENSE], size, self._n_images)
        layers = self._list_layers(surgery, anatomy, size)
        return self._read_by_head(surgery, layers, size, surgery.patch)

    def _read_by_head(self, surgery, layers, size, patch):
        own = surgery.skeletons[OWN]
        anatomy = examine(own, size, self._n_images)
        return default_layer(layers, own, anatomy, patch or anatomy.grid)

    @property
    def preprocessing(self):
        """What is done to pixels first; a ModelError if the graph cannot take what it makes."""
        self._parsed.entrance.check_preprocessing(self.spec.preprocessing)
        return self.spec.preprocessing

    @lazy_property
    def _surgery(self):
        """The graph for images of the model's own size, and for all others."""
        return self._operate(self._own_size)

    def _operate(self, size):
        return known_surgery(self._content_digest, self._parsed.skeleton, size, self._n_images)

    @property
    def _n_images(self):
        """The number of images that shapes are read for."""
        return self._parsed.entrance.batch or 1

    @lazy_property
    def _anatomy(self):
        """What the tensors of the dense graph are."""
        return examine(self._surgery.skeletons[DENSE], self.spec.input_size, self._n_images)

    @property
    def _own_size(self):
        """The image size that the graph was made for; the description may prefer another."""
        return self._made_for or self.spec.input_size

    @lazy_property
    def _made_for(self):
        """The image size that the input or the position embeddings ask for, or None."""
        frozen = self._parsed.declared_size or frozen_size(self._parsed.skeleton, USUAL_SIZE)
        return frozen if frozen is None else one_size(frozen)

    @lazy_property
    def layer_info(self):
        """Every layer that can be asked for, in the order of the graph."""
        return self._list_layers(self._surgery, self._anatomy, self.spec.input_size)

    def _list_layers(self, surgery, anatomy, size):
        layers = list_layers(self._parsed.skeleton, surgery.skeletons[DENSE], size, anatomy)
        return describe_tokens(layers, surgery.layouts, size)

    @lazy_property
    def layers(self):
        """The layers that `run` returns."""
        asked = self._asked_layers
        if asked is None:
            asked = self.spec.layers or [self._default_layer()]
        asked = [asked] if isinstance(asked, str | Integral) else asked
        check_open(asked, self._parsed.closed, self._name)
        return resolve_layers(asked, self.layer_info, self._name, self._anatomy.integers)

    def _default_layer(self):
        patch = self._surgery.patch or self.spec.patch_size
        return self._read_by_head(self._surgery, self.layer_info, self._own_size, patch)

    @lazy_property
    def patch_size(self):
        """What the sides of images must be multiples of, in pixels; None where it does not matter.

        Of a transformer that is the side of a patch, as the graph tells it.
        """
        tensors = {name for node in self._cut(DENSE).graph.node for name in node.output}
        layouts = [self._surgery.layouts[name] for name in tensors & self._surgery.layouts.keys()]
        if not layouts:
            return self.spec.patch_size
        return math.lcm(*(side for layout in layouts for side in layout.patch))

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
        self._last_used = form = self._form(pixels.shape[2:])
        try:
            self._check_problems(form)
            outputs = self._run(self._session(form), pixels, self._feeds(form, pixels.shape[2:]))
            return {
                layer: self._to_grid(layer, output, pixels.shape)
                for layer, output in zip(self.layers, outputs, strict=True)
            }
        except ModelError as error:
            raise ModelError(
                f"{self._name} does not run{self._at_size(pixels.shape[2:])}: {error}"
            ) from error

    def _at_size(self, image_shape):
        """Name the size of images for an error, unless it is the model's own and not to blame."""
        if tuple(image_shape) == both_sides(self._own_size):
            return ""
        own = in_words(self.spec.input_size)
        return f" on images of {image_shape[0]} x {image_shape[1]} (its own size is {own})"

    def _form(self, image_shape):
        """Return the form of the graph that images of this size take."""
        own_size = tuple(image_shape) == both_sides(self._own_size)
        if not own_size and SIZED in self._surgery.skeletons:
            return SIZED
        return OWN if own_size and self._has_dense_head and not self.spec.floor_pooling else DENSE

    @lazy_property
    def _has_dense_head(self):
        """Whether the two graphs differ in what the layers need.

        Fully connected layers read a batch at once; as convolutions they read their weights again
        for every image, and take six times as long for images of one position.
        """
        return list(self._cut(OWN).graph.node) != list(self._cut(DENSE).graph.node)

    def _cut(self, form):
        """Return the part of the graph that the layers need."""
        return truncate(self._surgery.skeletons[form], self.layers)

    def _check_problems(self, form):
        """Refuse a size that something in the graph does not follow."""
        made = [name for node in self._cut(form).graph.node for name in node.output]
        reasons = [self._surgery.problems[name] for name in made if name in self._surgery.problems]
        if form == SIZED and reasons:
            raise ModelError(f"it holds {reasons[0]}. Give it images of its own size")

    def _feeds(self, form, image_shape):
        """Return what the graph reads beside pixels."""
        if form != SIZED:
            return {}
        patch = self._surgery.patch
        return self._size_feeds.at(tuple(np.floor_divide(image_shape, patch).tolist()))

    @lazy_property
    def _size_feeds(self):
        needed = declare_feeds(self._cut(SIZED), self._surgery.feeds)
        return SizeFeeds(needed, self._tables(None))

    def _tables(self, contents):
        """Return the position embeddings in the model, which is read where it is not given."""

        def read():
            whole = contents or self._read_again()
            feeds = self._surgery.feeds.values()
            return read_tables(feeds, self._parsed.skeleton, whole.model, whole.folder)

        return known_tables(self._content_digest, read)

    def _run(self, session, pixels, feeds):
        """Run a batch at once, or in parts where the graph wants that."""

        def run(part):
            return run_session(session, part, feeds)

        if self._depends_on_neighbours:
            return run_in_parts(run, pixels, 1)
        if len(pixels) == self._n_images or self._takes_batches(run, pixels.shape[2:]):
            return run(pixels)
        return run_in_parts(run, pixels, self._n_images)

    @lazy_property
    def _depends_on_neighbours(self):
        return depends_on_neighbours(self._cut(DENSE))

    def _takes_batches(self, run, image_shape):
        """Whether any number of images may run together."""
        if self._tried_batches is None:
            seems = self._parsed.entrance.batch is None and self._surgery.takes_batches
            self._tried_batches = (
                seems and seems_free(self._cut(DENSE), self.layers, self._own_size)
            ) or takes_any_number(run, self._n_images, image_shape)
        return self._tried_batches

    def _session(self, form):
        """Return this process's session of one form of the graph."""
        key = (self.digest, self.layers, form)
        return get_session(
            key,
            lambda: self._build(form),
            providers=self.providers,
            n_threads=self.n_threads,
            arena=self.arena,
        )

    def _build(self, form):
        """Return what a session is opened from."""
        skeleton, outputs = self._surgery.skeletons[form], []
        contents = self._read_again()
        for layer in self.layers:
            skeleton, output = self._append_exit(skeleton, layer, form)
            outputs.append(output)
        skeleton = floor_pooling(skeleton) if self.spec.floor_pooling else skeleton
        cut = truncate(skeleton, outputs)
        if form == SIZED:
            declare_feeds(cut, self._surgery.feeds)
            self._tables(contents)
        graph = with_weights(cut, contents.model).SerializeToString()
        return Graph(graph, contents.folder, contents.confirm, self._trial(form))

    def _trial(self, form):
        """Return a blank image and what comes with it, if the graph may ask for too much."""
        if not check_memory(self._cut(OWN if form == OWN else DENSE), self._own_size):
            return None
        size = both_sides(self._own_size)
        return np.zeros((1, 3, *size), dtype=np.float32), self._feeds(form, size)

    def _append_exit(self, skeleton, layer, form):
        """Append what is done to a layer inside the graph; return the graph and the output."""
        output, scale = layer, self._anatomy.scales.get(layer)
        if scale is not None:
            skeleton, output = append_values(skeleton, layer, scale)
        if layer in self._anatomy.blocked:
            skeleton, output = append_order(skeleton, layer, self._anatomy.blocked[layer])
        if layer not in self.projections:
            return skeleton, output
        mean, components = self.projections[layer]
        check_projection(layer, mean, components, self._channels[layer])
        layout = self._anatomy.layouts.get(layer)
        if layout is None:
            raise ModelError(f"The size of {layer!r} is not known, so it cannot be projected.")
        plain = self._surgery.skeletons[OWN if form == OWN else DENSE]
        shapes = infer_shapes(plain, self._own_size, self._n_images)
        # A fully connected layer has two axes in the one graph, and four in the other.
        axes = len(shapes.get(layer, self._anatomy.shapes[layer])), layout.channels
        return append_projection(skeleton, output, axes, mean, components)

    @lazy_property
    def _channels(self):
        return {layer.name: layer.channels for layer in self.layer_info}

    def _channels_last(self, layer, output):
        layout = self._anatomy.layouts.get(layer)
        return output if layout and layout.channels == 3 else output.transpose(0, 2, 3, 1)

    def _to_grid(self, layer, output, batch_shape):
        """Turn a layer's output into (batch, rows, columns, channels), and check it."""
        if output.ndim == 4:
            output = self._channels_last(layer, output)
        elif output.ndim == 3 and output.shape[1] == 1:
            output = output[:, None]
        elif output.ndim == 3:
            layout = self._layout(layer, output, batch_shape[2:])
            output = tokens_to_grid(output, batch_shape[2:], layout)
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

    def _layout(self, layer, output, image_shape):
        """Return where the patches stand in a layer: as the graph tells, or the description."""
        layout = self._surgery.layouts.get(layer)
        if layout is None and self.spec.patch_size is None and self._anatomy.grid is not None:
            return self._seen_layout(output.shape[1])
        return layout or supposed_layout(output.shape[1], image_shape, self.spec.patch_size)

    def _seen_layout(self, n_tokens):
        """Return where the patches stand after others, by the map that was laid out as tokens."""
        rows, columns = self._anatomy.grid
        height, width = both_sides(self.spec.input_size)
        patch = (height // rows, width // columns)
        return TokenLayout(1, patch, max(n_tokens - rows * columns, 0), has_class=False)
