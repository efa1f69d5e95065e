"""A network that gives the activations of some of its layers.

It remembers where the model is and what was asked of it. Graphs and sessions are made from that
when they are needed, in each process again.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from numbers import Integral
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from skdeepenc._lazy import lazy_property
from skdeepenc._typing import Floats, PathLike
from skdeepenc.backbones.describing.catalogue import locate
from skdeepenc.backbones.describing.spec import ModelSpec
from skdeepenc.backbones.description import known_description, supposed_description
from skdeepenc.backbones.files.contents import known_digest, read_contents
from skdeepenc.backbones.layers import LayerInfo, resolve_layers
from skdeepenc.backbones.model import Model
from skdeepenc.backbones.network import Network
from skdeepenc.backbones.running.placed_graph import PlacedGraph
from skdeepenc.backbones.running.session import get_session
from skdeepenc.backbones.surgery.entrance import check_open
from skdeepenc.exceptions import ModelError
from skdeepenc.images import Preprocessing
from skdeepenc.images.sizes import both_sides, in_words

# What is found out by reading the model, and not worth carrying to another process.
_LEFT_BEHIND = {"_surgery", "_anatomy", "_network"}

#: The mean (D,) and the components (d, D) on which a layer is projected.
Projection: TypeAlias = tuple[Floats, Floats]


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
        model: PathLike | bytes = "embedded",
        *,
        layers: str | int | Sequence[str | int] | None = None,
        spec: ModelSpec | None = None,
        preprocessing: Preprocessing | None = None,
        projections: Mapping[str, Projection] | None = None,
        providers: str | Sequence[Any] = "auto",
        n_threads: int | None = None,
        arena: bool = True,
    ) -> None:
        self.model = model
        self._asked_layers = layers
        self._given_spec = spec
        self._given_preprocessing = preprocessing
        self.projections = dict(projections or {})
        self.providers = providers
        self.n_threads = n_threads
        self.arena = arena

    def __getstate__(self):
        """Keep what was asked for, and what was found out; never a graph, and paths as text."""
        known = {key: value for key, value in self.__dict__.items() if key not in _LEFT_BEHIND}
        opened = known.get("_opened")
        if opened is not None and isinstance(self.model, bytes) and opened.source == self.model:
            del known["model"]  # a file holds the content once, not once per reference
            return known
        return {**known, "model": os.fspath(self.model)}

    def __setstate__(self, state):
        """Find the content of a model where the opened model keeps it."""
        self.__dict__.update(state)
        if "model" not in state:
            self.model = self._opened.source

    def relocated(self, model: PathLike | bytes) -> Self:
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
        there = Model(_find(model), self._opened.digest)
        if known_digest(there.source) != there.digest:
            read_contents(there.source, there.digest)
        return self._altered(model=model, _opened=there)

    def content(self) -> bytes:
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
        contents = self._opened.read_again()
        if contents.folder is not None:
            raise ModelError(
                f"{self._opened.name} keeps weights in other files, so one file cannot hold it. "
                "Save it whole first: onnx.save(onnx.load(PATH), NEW_PATH)."
            )
        return contents.data

    @property
    def content_digest(self) -> str:
        """SHA-256 of the model as it was read, weights beside the file included."""
        return self._opened.digest

    def projected(self, projections: Mapping[str, Projection]) -> Self:
        """Return the same backbone with other projections, by layer."""
        return self._altered(projections=dict(projections))

    def _altered(self, **attributes):
        """Return a copy of the same model in which some attributes are others."""
        known = {"_opened": self._opened, **self.__getstate__(), **attributes}
        known.pop("digest", None)  # depends on the projections
        other = object.__new__(type(self))
        other.__setstate__(known)
        return other

    def __repr__(self) -> str:
        """Name the model and the layers that were asked for."""
        model = "<bytes>" if isinstance(self.model, bytes) else repr(str(self.model))
        return f"Backbone({model}, layers={self._asked_layers!r})"

    @lazy_property
    def _opened(self):
        """The model, wherever it is."""
        return Model(_find(self.model))

    @lazy_property
    def spec(self) -> ModelSpec:
        """What the model takes and offers."""
        spec = self._given_spec or self.known_spec or self._supposed_spec()
        if self._given_preprocessing is None:
            return spec
        return replace(spec, preprocessing=self._given_preprocessing)

    @lazy_property
    def known_spec(self) -> ModelSpec | None:
        """What the catalogue, the file itself or one beside it says, or None."""
        return known_description(self._opened, self.model)

    def _supposed_spec(self):
        """Suppose what most models want, and warn of it."""
        return supposed_description(
            self._opened,
            preprocessing_given=self._given_preprocessing is not None,
            layers_given=self._asked_layers is not None,
        )

    @property
    def preprocessing(self) -> Preprocessing:
        """What is done to pixels first; a ModelError if the graph cannot take what it makes."""
        self._opened.parsed.entrance.check_preprocessing(self.spec.preprocessing)
        return self.spec.preprocessing

    @lazy_property
    def _surgery(self):
        """The graph for images of the model's own size, and for all others."""
        return self._opened.surgery(self._own_size)

    @lazy_property
    def _anatomy(self):
        """What the tensors of the dense graph are."""
        return self._opened.anatomy(self._surgery, self.spec.input_size)

    @property
    def _own_size(self):
        """The image size that the graph was made for; the description may prefer another."""
        return self._opened.made_for or self.spec.input_size

    @lazy_property
    def layer_info(self) -> list[LayerInfo]:
        """Every layer that can be asked for, in the order of the graph."""
        return self._opened.list_layers(self._surgery, self._anatomy, self.spec.input_size)

    @lazy_property
    def layers(self) -> tuple[str, ...]:
        """The layers that `run` returns."""
        asked = self._asked_layers
        if asked is None:
            asked = self.spec.layers or [self._default_layer()]
        asked = [asked] if isinstance(asked, str | Integral) else asked
        check_open(asked, self._opened.parsed.closed, self._opened.name)
        return resolve_layers(asked, self.layer_info, self._opened.name, self._anatomy.integers)

    def _default_layer(self):
        """Return the layer that the head reads."""
        patch = self._surgery.patch or self.spec.patch_size
        return self._opened.default_layer(self._surgery, self.layer_info, self._own_size, patch)

    @lazy_property
    def patch_size(self) -> int | None:
        """What the sides of images must be multiples of, in pixels; None where it does not matter.

        Of a transformer that is the side of a patch, as the graph tells it.
        """
        return self._network.patch_size or self.spec.patch_size

    @lazy_property
    def digest(self) -> str:
        """Digest of the model's content and of what was done to its graph."""
        digest = hashlib.sha256(self._opened.digest.encode())
        digest.update(repr((self.spec.input_size, self.spec.floor_pooling)).encode())
        for layer in sorted(self.projections):
            digest.update(layer.encode())
            for part in self.projections[layer]:
                digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()

    @property
    def providers_(self) -> list[str]:
        """The providers that really run, best first."""
        form = self._network.form(both_sides(self._own_size))
        return self._session(form).get_providers()

    @lazy_property
    def _network(self):
        """The model, cut after the layers."""
        channels = {layer.name: layer.channels for layer in self.layer_info}
        return Network(
            self._opened,
            self._surgery,
            self._anatomy,
            self.spec,
            self.layers,
            channels,
            self.projections,
        )

    def run(self, pixels: ArrayLike) -> dict[str, Floats]:
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
        form = self._network.form(pixels.shape[2:])
        with self._naming_size(pixels.shape[2:]):
            self._network.check_problems(form)
            return self._network.run(self._session(form), form, pixels)

    def open(self, height: int, width: int) -> None:
        """Open the session for images of a size, as the first `run` does too.

        Parameters
        ----------
        height, width : int
            Size of the images in pixels.

        Raises
        ------
        ModelError
            If the model does not run on images of this size.
        """
        form = self._network.form((height, width))
        with self._naming_size((height, width)):
            self._network.check_problems(form)
            self._session(form)

    @contextmanager
    def _naming_size(self, image_shape):
        """Add to an error which model it was, and on images of which size."""
        try:
            yield
        except ModelError as error:
            at_size = self._at_size(image_shape)
            raise ModelError(f"{self._opened.name} does not run{at_size}: {error}") from error

    def graph_at(self, image_shape: tuple[int, int] | None = None) -> PlacedGraph:
        """Return the graph that `run` would run, to be built into a larger one.

        Parameters
        ----------
        image_shape : (int, int), optional
            Height and width of the images; None wants one graph for all sizes.

        Returns
        -------
        PlacedGraph
            The graph, what it is fed, and how its outputs become maps.

        Raises
        ------
        ModelError
            If the model does not run on images of this size, or wants another graph for each.
        """
        network = self._network
        with self._naming_size(image_shape):
            if image_shape is None:
                form, size = network.any_size()
            else:
                form, size = network.form(image_shape), tuple(image_shape)
            network.check_problems(form)
            return network.placed(self._session(form), form, size)

    def _at_size(self, image_shape):
        """Name the size of images for an error, unless it is the model's own and not to blame."""
        if image_shape is None or tuple(image_shape) == both_sides(self._own_size):
            return ""
        own = in_words(self.spec.input_size)
        return f" on images of {image_shape[0]} x {image_shape[1]} (its own size is {own})"

    def _session(self, form):
        """Return this process's session of one form of the graph."""
        return get_session(
            (self.digest, self.layers, form),
            lambda: self._network.build(form),
            providers=self.providers,
            n_threads=self.n_threads,
            arena=self.arena,
        )


def _find(model):
    """Return a model's path or content."""
    return model if isinstance(model, bytes) else locate(model)
