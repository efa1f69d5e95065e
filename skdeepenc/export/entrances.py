"""What a graph is given: the kinds of input, by the name that `to_onnx` takes.

A kind says which steps of a pipeline the graph holds, declares its inputs, and makes of images what
is fed into them, so that a graph can be compared with Python.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from sklearn.pipeline import Pipeline

from skdeepenc.exceptions import ExportError
from skdeepenc.export.batches import equal_grids, stacked
from skdeepenc.export.maps import MapInputs, input_name
from skdeepenc.export.writer import GraphWriter
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.maps import as_feature_maps

__all__ = ["ENTRANCES", "Entrance", "MapsEntrance", "find_entrance", "steps_of"]


class Entrance(Protocol):
    """One kind of input."""

    def steps(self, pipeline: Any) -> list[tuple[str, Any]]:
        """Return the names and estimators of the steps that the graph holds, in order."""

    def open(self, g: GraphWriter, pipeline: Any, approximate: bool) -> Any:
        """Declare the inputs; return what the converter of the first step is given."""

    def prepare(self, images: Any) -> Any:
        """Return images as Python's first step, and `batches`, want them."""

    def batches(
        self, images: Any, names: Sequence[str], steps: list[tuple[str, Any]]
    ) -> Iterator[tuple[Any, dict[str, Any]]]:
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
                "An extractor alone has no graph that starts from maps: put an encoder behind it, "
                'or give input="pixels".'
            )
        return steps

    def open(self, g, pipeline, approximate):
        """Return maps whose inputs are declared as encoders ask for them."""
        return MapInputs(g, approximate)

    def prepare(self, images):
        """Return the maps."""
        return as_feature_maps(images)

    def batches(self, images, names, steps):
        """Yield images that have one grid at each scale."""
        inputs = {
            input_name(layer, scale, images.n_scales): (layer, scale)
            for layer in images.layers
            for scale in range(images.n_scales)
        }
        missing = sorted(set(names) - set(inputs))
        if missing:
            raise ExportError(
                f"The graph needs maps named {missing} and was given {sorted(inputs)}: give "
                "maps of the layers and scales that the encoder was fitted on."
            )
        places = [inputs[name] for name in names]
        for rows in equal_grids(images, places):
            yield rows, dict(zip(names, stacked(images[rows], places), strict=True))


ENTRANCES: dict[str, Entrance] = {"maps": MapsEntrance()}


def find_entrance(kind):
    """Return the kind of input of a name."""
    if kind not in ENTRANCES:
        raise ExportError(f"input={kind!r} is not one of {', '.join(map(repr, ENTRANCES))}.")
    return ENTRANCES[kind]


def steps_of(pipeline):
    """Return the names and estimators of a pipeline's steps, without those that do nothing.

    Pipelines in it are taken apart, and of a search it is the best estimator.
    """
    pipeline = getattr(pipeline, "best_estimator_", pipeline)
    steps = list(_flat(pipeline.steps)) if isinstance(pipeline, Pipeline) else [("step", pipeline)]
    if not steps:
        raise ExportError("The pipeline has no step: give a fitted encoder or pipeline.")
    return steps


def _flat(steps, prefix=""):
    for name, step in steps:
        if isinstance(step, Pipeline):
            yield from _flat(step.steps, f"{prefix}{name}/")
        elif step not in (None, "passthrough"):
            yield f"{prefix}{name}", step
