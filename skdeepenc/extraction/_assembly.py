"""Put the network's outputs together: batches of pieces in, maps of whole images out."""

from collections import defaultdict
from typing import NamedTuple

import numpy as np

from skdeepenc.exceptions import NonFiniteError
from skdeepenc.maps import FeatureMaps


class ImageMaps(NamedTuple):
    """The maps of one image.

    Attributes
    ----------
    values : dict of str to array of shape (n_positions, n_channels)
        Each layer's descriptors, scale by scale, in row-major order.
    grids : array of int64 of shape (n_layers, n_scales, 2)
        Rows and columns of each map.
    """

    values: dict[str, np.ndarray]
    grids: np.ndarray


class Assembler:
    """Collects the outputs of batches until an image has all of its own.

    Parameters
    ----------
    recipe : Recipe
        What is kept of the outputs, and how.
    """

    def __init__(self, recipe):
        self._layers = recipe.layers
        self._pool = {None: None, "avg": np.mean, "max": np.max}[recipe.view.pool]
        self._dtype = recipe.dtype
        self._parts = defaultdict(list)

    def add(self, pieces, outputs):
        """Take the outputs of one batch of pieces."""
        for layer in self._layers:
            maps = outputs[layer]
            if self._pool is not None:
                maps = self._pool(maps, axis=(1, 2), keepdims=True)
            for piece, image_map in zip(pieces, maps, strict=True):
                self._parts[piece.job.position, layer, piece.scale].append(image_map)

    def take(self, job, name):
        """Return the maps of a job all of whose pieces have been added, and forget them."""
        values, grids = {}, np.empty((len(self._layers), len(job.plan.stacks), 2), dtype=np.int64)
        for row, layer in enumerate(self._layers):
            parts = []
            for scale, stack in enumerate(job.plan.stacks):
                maps = self._parts.pop((job.position, layer, scale))
                pooled = self._pool is not None
                grids[row, scale] = (stack.rows, stack.columns) if pooled else maps[0].shape[:2]
                parts += [image_map.reshape(-1, image_map.shape[-1]) for image_map in maps]
            values[layer] = self._stored(np.concatenate(parts), layer, name)
        return ImageMaps(values, grids)

    def _stored(self, values, layer, name):
        """Return the values in the type they are kept in; NaN and infinity stop here."""
        with np.errstate(over="ignore"):
            stored = values.astype(self._dtype, copy=False)
        if np.isfinite(stored.sum(dtype=np.float64)):
            return stored
        cure = "look at the model and its preprocessing"
        if np.isfinite(values).all():
            cure = 'they are too large for float16: extract with dtype="float32"'
        raise NonFiniteError(
            f"The activations of layer {layer!r} on {name} hold NaN or infinity; {cure}."
        )


class Collector:
    """Lays the maps of images one after the other in memory, in the order of the images.

    Parameters
    ----------
    recipe : Recipe
        What is kept.
    n_images : int
        How many images will come.
    """

    def __init__(self, recipe, n_images):
        self._grids = np.zeros((n_images, len(recipe.layers), recipe.n_scales, 2), dtype=np.int64)
        self._columns = {
            layer: _Column(n_channels, recipe.dtype, n_images)
            for layer, n_channels in recipe.channels.items()
        }

    def append(self, position, maps):
        """Take the maps of one image; those left out have no descriptors."""
        self._grids[position] = maps.grids
        for layer, column in self._columns.items():
            column.append(maps.values[layer])

    def finish(self):
        """Return the maps of all images."""
        layers = list(self._columns)
        return FeatureMaps.from_values(
            {layer: column.finish() for layer, column in self._columns.items()},
            {layer: self._grids[:, row] for row, layer in enumerate(layers)},
        )


class _Column:
    """A growing array of rows, allocated once where all images are like the first."""

    def __init__(self, n_channels, dtype, n_images):
        self._rows = np.empty((0, n_channels), dtype=dtype)
        self._n_rows = 0
        self._n_images = n_images

    def append(self, rows):
        end = self._n_rows + len(rows)
        if end > len(self._rows):
            expected = len(rows) * self._n_images if self._n_rows == 0 else end + end // 2
            grown = np.empty((expected, self._rows.shape[1]), dtype=self._rows.dtype)
            grown[: self._n_rows] = self._rows[: self._n_rows]
            self._rows = grown
        self._rows[self._n_rows : end] = rows
        self._n_rows = end

    def finish(self):
        return self._rows[: self._n_rows]
