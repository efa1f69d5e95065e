"""What a graph is given: the kinds of input, by the name that `to_onnx` takes.

A kind says which steps of a pipeline the graph holds, declares its inputs, and makes of images what
is fed into them, so that a graph can be compared with Python.
"""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from sklearn.pipeline import Pipeline

from skdeepenc.exceptions import ExportError
from skdeepenc.export.maps import MapInputs, input_name
from skdeepenc.export.writer import GraphWriter
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.maps import as_feature_maps

__all__ = ["ENTRANCES", "Entrance", "MapsEntrance", "find_entrance", "steps_of"]

_MOST_IMAGES = 32  # fed at once


class Entrance(Protocol):
    """One kind of input."""

    def steps(self, pipeline) -> list[tuple[str, Any]]:
        """Return the names and estimators of the steps that the graph holds, in order."""

    def open(self, g: GraphWriter, pipeline, approximate: bool) -> Any:
        """Declare the inputs; return what the converter of the first step is given."""

    def prepare(self, images) -> Any:
        """Return images as Python's first step, and `batches`, want them."""

    def batches(self, images, names) -> Iterator[tuple[Any, dict]]:
        """Yield the numbers of some images, and their feeds for the inputs of these names."""


class MapsEntrance:
    """``input="maps"``: feature maps that another engine computed.

    An extractor that a pipeline begins with is left out: its maps are the input.
    """

    def steps(self, pipeline):
        """Return the steps from the encoder on."""
        steps = steps_of(pipeline)
        steps = steps[isinstance(steps[0][1], ActivationExtractor) :]
        if not steps:
            raise ExportError(
                "An extractor alone has no graph from maps on: put an encoder behind it, or give "
                'input="pixels".'
            )
        return steps

    def open(self, g, pipeline, approximate):
        """Return maps whose inputs are declared as encoders ask for them."""
        return MapInputs(g, approximate)

    def prepare(self, images):
        """Return the maps."""
        return as_feature_maps(images)

    def batches(self, images, names):
        """Yield images that have one grid at each scale."""
        inputs = {
            input_name(layer, scale, images.n_scales): (layer, scale)
            for layer in images.layers
            for scale in range(images.n_scales)
        }
        missing = sorted(set(names) - set(inputs))
        if missing:
            raise ExportError(
                f"The graph wants maps named {missing}, and those given are {sorted(inputs)}: give "
                "maps of the layers and scales that the encoder was fitted on."
            )
        own = {name: inputs[name] for name in names}
        for rows in _equal_grids(images, own.values()):
            yield rows, {name: _stack(images[rows], *place) for name, place in own.items()}


def _equal_grids(maps, places):
    """Yield the numbers of images whose maps are of one size in each layer and scale."""
    sizes = np.hstack([maps.grid(layer)[:, scale] for layer, scale in places])
    _, group_of, counts = np.unique(sizes, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(group_of.ravel(), kind="stable")
    for group in np.split(order, np.cumsum(counts)[:-1]):
        for first in range(0, len(group), _MOST_IMAGES):
            yield group[first : first + _MOST_IMAGES]


def _stack(maps, layer, scale):
    """Return maps of one size as an array (N, H, W, D) of float32."""
    chosen = maps.select(layers=[layer], scales=[scale])
    height, width = chosen.grid(layer)[0, 0]
    values = chosen.values(layer).reshape(len(maps), height, width, chosen.n_channels(layer))
    return np.ascontiguousarray(values, dtype=np.float32)


ENTRANCES: dict[str, Entrance] = {"maps": MapsEntrance()}


def find_entrance(kind):
    """Return the kind of input of a name."""
    if kind not in ENTRANCES:
        raise ExportError(f"input={kind!r} is not one of {', '.join(map(repr, ENTRANCES))}.")
    return ENTRANCES[kind]


def steps_of(pipeline):
    """Return the names and estimators of a pipeline's steps, without those that do nothing."""
    steps = pipeline.steps if isinstance(pipeline, Pipeline) else [("encoder", pipeline)]
    steps = [(name, step) for name, step in steps if step not in (None, "passthrough")]
    if not steps:
        raise ExportError("The pipeline has no step: give a fitted encoder or pipeline.")
    return steps
