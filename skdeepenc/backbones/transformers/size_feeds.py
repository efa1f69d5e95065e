"""What a graph is fed beside pixels: the constants that depend on the size of the image.

They are a few short vectors of sizes, and the position embeddings, resampled once a grid.
"""

import math
import os
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import load_external_data_for_tensor

from skdeepenc.backbones.graphs.graph import truncate
from skdeepenc.backbones.graphs.skeleton import with_weights
from skdeepenc.backbones.transformers.positions import resample_positions
from skdeepenc.backbones.transformers.rotary import resample_rotary
from skdeepenc.exceptions import ModelError

# Some megabytes each; a table is resampled again in milliseconds.
MOST_GRIDS = 8
# A process that goes through many models must not keep the tables of all.
MOST_MODELS = 8
_TABLES: OrderedDict[str, dict[str, np.ndarray]] = OrderedDict()


@dataclass(frozen=True)
class SizeVector:
    """A constant of sizes: whole numbers, and rules for those that follow the grid."""

    entries: tuple[Any, ...]
    element = TensorProto.INT64

    def at(self, grid):
        """Return the constant on a grid of (rows, columns)."""
        return np.array(
            [entry if isinstance(entry, int) else entry.at(grid) for entry in self.entries],
            dtype=np.int64,
        )


@dataclass(frozen=True)
class PositionTable:
    """A constant with one vector for each token, to be resampled.

    Attributes
    ----------
    source : str
        The tensor that holds it.
    element : int
        The type of its values, as ONNX numbers them.
    axis : int
        Its axis of tokens; of rows, where the columns have the next axis.
    is_map : bool
        Whether rows and columns have an axis each.
    grid : (int, int)
        The grid that it was learned for.
    halved : int
        By what the grid of patches is divided where it is added.
    before : int
        Tokens before the patches.
    rotary : str or None
        What to call a table of rotary angles, which is computed again; None for learned vectors.
    """

    source: str
    element: int
    axis: int
    is_map: bool
    grid: tuple[int, int]
    halved: int
    before: int
    rotary: str | None = None

    def at(self, grid, values):
        """Resample the values of the table to a grid of (rows, columns)."""
        new_grid = tuple(n // self.halved for n in grid)
        n_axes = 2 if self.is_map else 1
        axes = range(self.axis, self.axis + n_axes)
        first = np.moveaxis(values, axes, range(n_axes))
        others = first.shape[n_axes:]
        flat = first.reshape(-1, math.prod(others))
        resample = resample_rotary if self.rotary else resample_positions
        resampled = resample(flat, self.grid, new_grid, before=self.before)
        if resampled is None:
            raise ModelError(f"it holds {self.rotary}. Give it images of its own size.")
        leading = new_grid if self.is_map else (len(resampled),)
        return np.moveaxis(resampled.reshape(*leading, *others), range(n_axes), axes)


@dataclass(frozen=True)
class Nothing:
    """A constant for every pair of tokens, which may be left out if it adds nothing.

    Attributes
    ----------
    source : str
        The tensor that holds it: what is added, or truth values of what is not masked.
    element : int
        The type of what is added, as ONNX numbers it.
    reason : str
        What it is where it does add something.
    """

    source: str
    element: int
    reason: str

    def at(self, grid, values):
        """Return zero, if the values say that nothing is added or masked."""
        if (values != (values.dtype == bool)).any():
            raise ModelError(f"it holds {self.reason}. Give it images of its own size.")
        return np.zeros(1, helper.tensor_dtype_to_np_dtype(self.element))


class SizeFeeds:
    """What a cut graph is fed for each size of images.

    Parameters
    ----------
    feeds : dict of str to (SizeVector, PositionTable or Nothing)
        The inputs, by name.
    tables : dict of str to array
        The values of the tables, by the tensor that holds them.
    """

    def __init__(self, feeds, tables):
        self._feeds = feeds
        self._tables = tables
        self._known: OrderedDict[tuple[int, int], dict[str, np.ndarray]] = OrderedDict()

    def at(self, grid):
        """Return the inputs' values on a grid of (rows, columns), those of the last few kept."""
        values = self._known.get(grid)
        if values is None:
            values = self._known[grid] = {
                name: feed.at(grid)
                if isinstance(feed, SizeVector)
                else feed.at(grid, self._tables[feed.source])
                for name, feed in self._feeds.items()
            }
            if len(self._known) > MOST_GRIDS:
                self._known.popitem(last=False)
        return values


def known_tables(digest, read):
    """Return the tables of a model, read unless this process has done so before.

    Parameters
    ----------
    digest : str
        Stands for the model's content.
    read : callable
        Returns what `read_tables` does.

    Returns
    -------
    dict of str to array
        The values, by the tensor that holds them.
    """
    tables = _TABLES.get(digest)
    if tables is None:
        tables = _TABLES[digest] = read()
        while len(_TABLES) > MOST_MODELS:
            _TABLES.popitem(last=False)
    return tables


def read_tables(feeds, skeleton, model, folder, size):
    """Return the values of position tables, by the tensor that holds them.

    Parameters
    ----------
    feeds : iterable of SizeVector, PositionTable or Nothing
        What a graph is fed.
    skeleton : onnx.ModelProto
        The graph without its weights.
    model : onnx.ModelProto
        The model, with its weights.
    folder : path-like or None
        Where weights lie that are kept beside the file.
    size : (int, int)
        Height and width of the images that the model was made for.

    Returns
    -------
    dict of str to array
        The values.
    """
    names = {feed.source for feed in feeds if not isinstance(feed, SizeVector)}
    return {name: _constant(name, skeleton, model, folder, size) for name in names}


def _constant(name, skeleton, model, folder, size):
    """Compute a tensor that depends on no pixels, at most on how many there are."""
    from onnx.reference import ReferenceEvaluator  # a fifth of a second, for transformers alone

    cut = truncate(skeleton, [name])
    blank = {cut.graph.input[0].name: np.zeros((1, 3, *size), dtype=np.float32)}
    with_weights(cut, model)
    for tensor in cut.graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            load_external_data_for_tensor(tensor, os.fspath(folder))
            tensor.data_location = TensorProto.DEFAULT
    if not cut.graph.node:
        return numpy_helper.to_array(cut.graph.initializer[0])
    (value,) = ReferenceEvaluator(cut).run(None, blank)
    return value


def declare_feeds(skeleton, feeds):
    """Declare the inputs that a cut graph reads beside pixels, in place.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A cut graph.
    feeds : dict of str to (SizeVector, PositionTable or Nothing)
        All inputs that the whole graph has.

    Returns
    -------
    dict of str to (SizeVector, PositionTable or Nothing)
        Those that the cut reads.
    """
    read = {name for node in skeleton.graph.node for name in node.input}
    needed = {name: feed for name, feed in feeds.items() if name in read}
    for name, feed in needed.items():
        value = helper.make_tensor_value_info(name, feed.element, None)
        skeleton.graph.input.append(value)
    return needed
