"""Everything that decides what the activations of an image are, in one place.

Two runs with equal recipes may share a cache; anything that could change a number is part of
`Recipe.digest`.
"""

import hashlib
import json

import numpy as np
from PIL import Image

from skdeepenc._lazy import lazy_property
from skdeepenc.images.decode import load_image
from skdeepenc.images.plans import Network
from skdeepenc.images.sizes import both_sides

RGB = "rgb"
# A change of how maps are computed or stored makes old caches strangers.
FORMAT = 2


class Recipe:
    """How an image becomes maps: what is cut out of it, what runs on it, what is kept.

    Parameters
    ----------
    backbone : Backbone
        The network.
    layers : tuple of str
        What is kept, in this order: layers of the backbone, and "rgb".
    view : View
        What is cut out of an image.
    dtype : {"float32", "float16"}
        Type of the kept values.
    """

    def __init__(self, backbone, layers, view, dtype="float32"):
        self.backbone = backbone
        self.layers = layers
        self.view = view
        self.dtype = np.dtype(dtype)
        self.preprocessing = backbone.preprocessing
        self.input_size = backbone.spec.input_size
        self.network = Network(
            self.input_size,
            backbone.patch_size,
            self.preprocessing.interpolation,
            self.preprocessing.fill,
        )
        self._shapes: dict[tuple[int, int], dict[str, tuple[int, ...]]] = {}

    @property
    def n_scales(self):
        """Number of scales, which depends on no image."""
        return len(self.view.stacks(*both_sides(self.input_size), self.network))

    @lazy_property
    def channels(self):
        """Number of channels of every kept layer, by name."""
        found = {layer: info.channels for layer, info in self._layer_info.items()}
        if None in found.values():
            measured = self._measured(*both_sides(self.input_size))
            found = {layer: channels for layer, (_, _, channels) in measured.items()}
        projections = self.backbone.projections.items()
        found.update((layer, len(components)) for layer, (_, components) in projections)
        return {layer: 3 if layer == RGB else found[layer] for layer in self.layers}

    @lazy_property
    def _layer_info(self):
        """What the graph tells of the kept layers, by name."""
        return {info.name: info for info in self.backbone.layer_info if info.name in self.layers}

    def _measured(self, height, width):
        """Return (rows, columns, channels) of each layer, by running the network on a blank."""
        if (height, width) not in self._shapes:
            maps = self.backbone.run(np.zeros((1, 3, height, width), dtype=np.float32))
            self._shapes[height, width] = {layer: array.shape[1:] for layer, array in maps.items()}
        return self._shapes[height, width]

    @lazy_property
    def digest(self):
        """Changes whenever the maps of an image could."""
        text = json.dumps(self.describe(), sort_keys=True, default=repr)
        return hashlib.sha256(text.encode()).hexdigest()

    def describe(self):
        """Return what decides the maps as plain values, to be read and compared."""
        return {
            "format": FORMAT,
            "model": self.backbone.digest,
            "layers": list(self.layers),
            "view": [type(self.view).__qualname__, self.view.get_params()],
            "preprocessing": self.preprocessing.to_dict(),
            "input_size": self.input_size,
            "patch_size": self.network.patch_size,
            "dtype": self.dtype.name,
        }

    def cut(self, content):
        """Decode the content of an image, once, and cut what the network is to see.

        Returns
        -------
        plan : Plan
            What was cut.
        stacks : list of array of shape (n_pieces, height, width, 3), uint8
            The pieces.
        """
        image = load_image(content, smallest=self.view.decoded_edge(self.network))
        plan = self.view.plan(image, self.network)
        return plan, self.view.cut(image, plan)

    def run(self, batch):
        """Run the network on a batch; return (n, rows, columns, channels) maps by layer."""
        outputs = self.backbone.run(batch.tensor)
        if RGB in self.layers:
            outputs[RGB] = _shrunk_pixels(batch.pieces, outputs[self._deepest].shape[1:3])
        return outputs

    def estimate_bytes(self, plan):
        """Estimate the size of one image's maps from what is cut out of it."""
        n_values = sum(
            self._n_positions(layer, stack) * n_channels
            for layer, n_channels in self.channels.items()
            for stack in plan.stacks
        )
        return n_values * self.dtype.itemsize

    @property
    def _deepest(self):
        """The last layer of the network, whose grid the pixels take."""
        return [layer for layer in self.layers if layer != RGB][-1]

    def _n_positions(self, layer, stack):
        """Estimate the positions of a layer's maps of one scale from the layer's stride.

        Where the graph does not tell it, the network runs on a blank of that size.
        """
        if self.view.pool is not None:
            return stack.n_pieces
        info = self._layer_info[self._deepest if layer == RGB else layer]
        if info.kind == "unknown" or (info.kind == "tokens" and info.stride is None):
            rows, columns, _ = self._measured(stack.height, stack.width)[info.name]
            return rows * columns
        if info.stride is None:
            return info.grid[0] * info.grid[1]
        own = both_sides(self.input_size)
        sides = zip(info.grid, (stack.height, stack.width), own, strict=True)
        rows, columns = (n + (side - usual) // info.stride for n, side, usual in sides)
        return max(rows, 0) * max(columns, 0)


def as_json(value):
    """Return what stands for a value in JSON with all its content: `repr` leaves out the middle."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if hasattr(value, "get_params"):
        return [type(value).__qualname__, value.get_params()]
    return repr(value)


def _shrunk_pixels(pieces, grid):
    """Return the pieces' pixels averaged onto a grid, as (n, rows, columns, 3) in [0, 1]."""
    rows, columns = grid
    shrunk = [
        Image.fromarray(np.ascontiguousarray(piece.pixels)).resize(
            (columns, rows), Image.Resampling.BOX
        )
        for piece in pieces
    ]
    return np.stack([np.asarray(image) for image in shrunk]).astype(np.float32) / 255
