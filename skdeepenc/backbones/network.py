"""A model cut after some of its layers, in the forms that images of different sizes want.

Built on what reading found out, it says which form an image takes, what that form is fed, and how
its outputs become maps. It opens no session: it runs the one that it is given.
"""

import math

import numpy as np

from skdeepenc._lazy import lazy_property
from skdeepenc.backbones.anatomy.quantisation import depends_on_neighbours
from skdeepenc.backbones.graphs.bounds import check_memory
from skdeepenc.backbones.graphs.graph import truncate
from skdeepenc.backbones.graphs.shapes import infer_shapes
from skdeepenc.backbones.graphs.skeleton import with_weights
from skdeepenc.backbones.outputs import LayerOutput
from skdeepenc.backbones.running.batching import (
    run_in_parts,
    seems_free,
    takes_any_number,
    tried_once,
)
from skdeepenc.backbones.running.placed_graph import PlacedGraph, load_graph
from skdeepenc.backbones.running.session import Graph, run_session
from skdeepenc.backbones.surgery.exits import append_exit, append_projected_exit
from skdeepenc.backbones.surgery.forms import DENSE, OWN, SIZED
from skdeepenc.backbones.surgery.pooling_mode import floor_pooling
from skdeepenc.backbones.transformers.size_feeds import (
    SizeFeeds,
    declare_feeds,
    known_tables,
    read_tables,
)
from skdeepenc.exceptions import ModelError
from skdeepenc.images.sizes import both_sides


class Network:
    """A model cut after its layers.

    Parameters
    ----------
    model : Model
        The model.
    surgery : Surgery
        The forms of its graph.
    anatomy : Anatomy
        What the tensors of the dense form are.
    spec : ModelSpec
        What the model takes.
    layers : tuple of str
        What is asked for.
    channels : dict of str to int or None
        Of every layer.
    projections : dict of str to (array, array)
        The mean and the components on which a layer is projected.
    """

    def __init__(self, model, surgery, anatomy, spec, layers, channels, projections):
        self._model, self._surgery, self._anatomy = model, surgery, anatomy
        self._spec, self._layers, self._projections = spec, layers, projections
        self._own_size = model.made_for or spec.input_size
        self._outputs = [self._output(layer, channels[layer]) for layer in layers]

    def _output(self, layer, channels):
        """Return how the output of a layer is read."""
        layout, grid = self._anatomy.layouts.get(layer), self._anatomy.grid
        projection = self._projections.get(layer)
        return LayerOutput(
            layer,
            channels if projection is None else len(projection[1]),
            layout is not None and layout.channels == 3,
            self._surgery.layouts.get(layer),
            None if grid is None else (grid, self._spec.input_size),
            self._spec.patch_size,
        )

    def form(self, image_shape):
        """Return the form of the graph that images of this size take."""
        own_size = tuple(image_shape) == both_sides(self._own_size)
        if not own_size and SIZED in self._surgery.skeletons:
            return SIZED
        return OWN if own_size and self._has_dense_head and not self._spec.floor_pooling else DENSE

    @lazy_property
    def _has_dense_head(self):
        """Whether the two graphs differ in what the layers need.

        Fully connected layers read a batch at once; as convolutions they read their weights again
        for every image, and take six times as long for images of one position.
        """
        return list(self._cut(OWN).graph.node) != list(self._cut(DENSE).graph.node)

    def _cut(self, form):
        """Return the part of the graph that the layers need."""
        return truncate(self._surgery.skeletons[form], self._layers)

    def _made(self, form):
        """Return the tensors that the layers need."""
        return [name for node in self._cut(form).graph.node for name in node.output]

    @property
    def patch_size(self):
        """The side in pixels that every patch fits into, or None without patches."""
        layouts = self._surgery.layouts
        sides = [
            side for name in self._made(DENSE) if name in layouts for side in layouts[name].patch
        ]
        return math.lcm(*sides) if sides else None

    def check_problems(self, form):
        """Refuse a size that something in the graph does not follow."""
        problems = self._surgery.problems
        reasons = [problems[name] for name in self._made(form) if name in problems]
        if form == SIZED and reasons:
            raise ModelError(f"it holds {reasons[0]}. Give it images of its own size")

    def run(self, session, form, pixels):
        """Run a session of one form on a batch; return maps by layer."""
        feeds = self._feeds(form, pixels.shape[2:])

        def run(part):
            return run_session(session, part, feeds)

        n_images = self._n_images_at_once(run, form, pixels)
        outputs = run(pixels) if n_images is None else run_in_parts(run, pixels, n_images)
        return {
            output.name: output.to_grid(values, pixels.shape)
            for output, values in zip(self._outputs, outputs, strict=True)
        }

    def placed(self, session, form, image_shape):
        """Return one form of the graph as a part of a larger one, for images of one size."""
        feeds = self._feeds(form, image_shape)

        def run(part):
            return run_session(session, part, feeds)

        blank = np.zeros((self._model.n_images + 1, 3, *image_shape), dtype=np.float32)
        batch = self._n_images_at_once(run, form, blank)
        outputs = run(blank[: batch or 1])
        tensors = [value.name for value in session.get_outputs()]
        exits = {
            output.name: output.exit(tensor, values, image_shape)
            for output, tensor, values in zip(self._outputs, tensors, outputs, strict=True)
        }
        return PlacedGraph(form, lambda: load_graph(self.build(form)), feeds, exits, batch)

    def any_size(self):
        """Return the form that takes images of all sizes, and a size to try it on.

        Raises
        ------
        ModelError
            If every size wants what no graph makes.
        """
        if SIZED in self._surgery.skeletons:
            raise ModelError(
                "position embeddings are resampled for each size of images, so a graph takes "
                "one size."
            )
        return DENSE, both_sides(self._own_size)

    def _n_images_at_once(self, run, form, pixels):
        """Return how many images run at a time, or None where all of them do."""
        if self._depends_on_neighbours:
            return 1
        made_for = self._model.n_images
        if len(pixels) == made_for or self._is_free:
            return None
        return None if self._tried_free(run, form, pixels.shape[2:]) else made_for

    @lazy_property
    def _depends_on_neighbours(self):
        """Whether an image's activations depend on the others of its batch."""
        return depends_on_neighbours(self._cut(DENSE))

    @lazy_property
    def _is_free(self):
        """Whether the graph shows that any number of images may run together."""
        seems = self._model.parsed.entrance.batch is None and self._surgery.takes_batches
        return seems and seems_free(self._cut(DENSE), self._layers, self._own_size)

    def _tried_free(self, run, form, image_shape):
        """Whether a try of this form has shown that any number of images may run together."""
        key = self._model.digest, self._layers, form
        return tried_once(key, lambda: takes_any_number(run, self._model.n_images, image_shape))

    def _feeds(self, form, image_shape):
        """Return what the graph reads beside pixels."""
        if form != SIZED:
            return {}
        return self._size_feeds.at(
            tuple(np.floor_divide(image_shape, self._surgery.patch).tolist())
        )

    @lazy_property
    def _size_feeds(self):
        """What follows the size of images, made once a grid."""
        needed = declare_feeds(self._cut(SIZED), self._surgery.feeds)
        return SizeFeeds(needed, self._tables(None))

    def _tables(self, contents):
        """Return the position embeddings in the model, which is read where it is not given."""

        def read():
            whole = contents or self._model.read_again()
            feeds, skeleton = self._surgery.feeds.values(), self._model.parsed.skeleton
            size = both_sides(self._own_size)
            return read_tables(feeds, skeleton, whole.model, whole.folder, size)

        return known_tables(self._model.digest, read)

    def build(self, form):
        """Return what a session of one form is opened from."""
        skeleton, outputs = self._surgery.skeletons[form], []
        contents = self._model.read_again()
        for layer in self._layers:
            skeleton, output = self._append_exit(skeleton, layer, form)
            outputs.append(output)
        skeleton = floor_pooling(skeleton) if self._spec.floor_pooling else skeleton
        cut = truncate(skeleton, outputs)
        if form == SIZED:
            declare_feeds(cut, self._surgery.feeds)
            self._tables(contents)
        graph = with_weights(cut, contents.model).SerializeToString()
        return Graph(graph, contents.folder, contents.confirm, self._trial(form))

    def _append_exit(self, skeleton, layer, form):
        """Append what is done to a layer inside the graph; return the graph and the output."""
        skeleton, output = append_exit(skeleton, layer, self._anatomy)
        if layer not in self._projections:
            return skeleton, output
        # A fully connected layer has two axes in the one graph, and four in the other.
        plain = self._surgery.skeletons[OWN if form == OWN else DENSE]
        shape = infer_shapes(plain, self._own_size, self._model.n_images).get(layer, ())
        projection = self._projections[layer]
        return append_projected_exit(skeleton, layer, output, self._anatomy, len(shape), projection)

    def _trial(self, form):
        """Return a blank image and what comes with it, if the graph may ask for too much."""
        if not check_memory(self._cut(OWN if form == OWN else DENSE), self._own_size):
            return None
        size = both_sides(self._own_size)
        return np.zeros((1, 3, *size), dtype=np.float32), self._feeds(form, size)
