"""A backbone's graph as a part of a larger one: what to feed it, and how its outputs become maps.

`Backbone.run` lays outputs out in numpy. Whoever builds the graph into another one has to do the
same in nodes, and finds here all that `run` decides from the size of the images.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto
from onnx.external_data_helper import load_external_data_for_tensor

__all__ = ["Exit", "PlacedGraph", "load_graph"]


class Exit(NamedTuple):
    """How one output becomes a map (batch, rows, columns, channels).

    Attributes
    ----------
    output : str
        The name of the tensor.
    rank : int
        Its number of axes: 4 for a map, 3 for tokens, 2 for a vector.
    channels_last : bool
        Whether the channels of a map are its last axis already.
    tokens : (int, int, int, int) or None
        Of tokens: their axis, how many stand before the patches, and the rows and columns of these.
    """

    output: str
    rank: int
    channels_last: bool = False
    tokens: tuple[int, int, int, int] | None = None


class PlacedGraph(NamedTuple):
    """The graph that runs on images of one size.

    Attributes
    ----------
    form : str
        Which form of the graph that is; equal forms are equal graphs.
    load : callable
        Reads the model, an `onnx.ModelProto` with all weights inside. Its first input takes pixels.
    feeds : dict of str to array
        What its other inputs take at this size.
    exits : dict of str to Exit
        Its outputs, by layer.
    batch : int or None
        How many images it takes at once; None for any number.
    """

    form: str
    load: Callable[[], onnx.ModelProto]
    feeds: dict[str, np.ndarray]
    exits: dict[str, Exit]
    batch: int | None


def load_graph(graph):
    """Parse what a session is opened from, weights that lie in other files included."""
    model = onnx.load_model_from_string(graph.content)
    for tensor in model.graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            load_external_data_for_tensor(tensor, str(graph.folder))
            tensor.data_location = TensorProto.DEFAULT
            del tensor.external_data[:]
    if graph.confirm is not None:
        graph.confirm()
    return model
