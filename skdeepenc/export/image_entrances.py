"""Graphs that are given images: ``input="pixels"`` and ``input="tensor"``.

Images of a folder differ in size, and a batch of a graph does not: they are run one by one.
"""

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import FeatureUnion, Pipeline

from skdeepenc.exceptions import ExportError
from skdeepenc.export.converters.extractor import Images
from skdeepenc.export.cutting import sizes_of
from skdeepenc.export.entrances import ENTRANCES, steps_of
from skdeepenc.export.maps import input_name
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.extraction.sources import as_sources
from skdeepenc.images import decode_image

__all__ = ["PixelsEntrance", "TensorEntrance", "networks_of", "recipe_of"]

PIXELS, TENSOR = "images", "pixels"


class PixelsEntrance:
    """``input="pixels"``: decoded images of any size, bytes of shape (N, H, W, 3)."""

    def steps(self, pipeline):
        """Return all steps, of which the first takes images."""
        steps = steps_of(pipeline)
        if not _takes_images(steps[0][1]):
            raise ExportError(
                f"The pipeline begins with {type(steps[0][1]).__name__}, which does not take "
                'images: give input="maps", or a pipeline that begins with a fitted '
                "ActivationExtractor."
            )
        if isinstance(steps[-1][1], ActivationExtractor):
            raise ExportError(
                "An extractor alone gives maps, not vectors: put an encoder behind it, such as "
                "GlobalPooler."
            )
        return steps

    def open(self, g, pipeline, approximate):
        """Declare the images."""
        return Images(g.input(PIXELS, np.uint8, ["N", "H", "W", 3]), approximate=approximate)

    def prepare(self, images):
        """Return images decoded, every pixel of them, for both the graph and Python.

        JPEGs that a view may shrink while decoding would be other images.
        """
        return [decode_image(source) for source in as_sources(images)]

    def batches(self, images, names, steps):
        """Yield the images one by one."""
        for number, image in enumerate(images):
            yield [number], {PIXELS: image[None]}


class TensorEntrance(PixelsEntrance):
    """``input="tensor"``: what the network takes, float32 of shape (N, 3, H, W).

    Who resizes and normalises outside says what each scale shows: one input a scale.
    """

    def steps(self, pipeline):
        """Return all steps, of which the first is an extractor of whole images."""
        steps = super().steps(pipeline)
        extractor = steps[0][1]
        if not isinstance(extractor, ActivationExtractor):
            raise ExportError(
                f"{type(extractor).__name__} prepares images in ways of its own: give "
                'input="pixels".'
            )
        return steps

    def open(self, g, pipeline, approximate):
        """Declare a tensor for each scale."""
        recipe = recipe_of(self.steps(pipeline))
        if recipe.view.pool is not None:
            raise ExportError(
                f"{type(recipe.view).__name__} cuts many pieces out of an image, and one tensor "
                'does not hold them: give input="pixels".'
            )
        sizes = sizes_of(recipe.view, recipe.network)
        names = [input_name(TENSOR, scale, len(sizes)) for scale in range(len(sizes))]
        prepared = [
            g.input(name, np.float32, ["N", 3, *(size or (f"{name} height", f"{name} width"))])
            for name, size in zip(names, sizes, strict=True)
        ]
        return Images(prepared=prepared, approximate=approximate)

    def batches(self, images, names, steps):
        """Yield the images one by one, prepared as the extractor does."""
        recipe = recipe_of(steps)
        for number, image in enumerate(images):
            _, stacks = recipe.cut(image)
            tensors = map(recipe.preprocessing.to_tensor, stacks)
            yield [number], dict(zip(names, tensors, strict=True))


def recipe_of(steps):
    """Return the recipe of the extractor that steps begin with."""
    try:
        return steps[0][1].recipe()
    except NotFittedError as error:
        raise ExportError(f"{error} Only what is fitted can be exported.") from error


def _takes_images(step):
    """Tell whether a step begins with extractors."""
    if isinstance(step, FeatureUnion):
        parts = [part for _, part in step.transformer_list if part not in ("drop", "passthrough")]
        return bool(parts) and all(map(_takes_images, parts))
    if isinstance(step, Pipeline):
        return _takes_images(steps_of(step)[0][1])
    return isinstance(step, ActivationExtractor)


def networks_of(steps):
    """Return of every network in a graph what its licence may ask for: plain values, for JSON.

    Parameters
    ----------
    steps : list of (str, estimator)
        The steps of a pipeline.

    Returns
    -------
    list of dict
        Name, digest, source, licence, layers, and how JPEGs were decoded.
    """
    found = []
    for _, step in steps:
        if isinstance(step, FeatureUnion):
            found += networks_of(step.transformer_list)
        elif isinstance(step, Pipeline):
            found += networks_of(steps_of(step))
        elif isinstance(step, ActivationExtractor):
            recipe = step.recipe()
            spec = recipe.backbone.spec
            found.append(
                {
                    "name": spec.name,
                    "sha256": recipe.backbone.content_digest,
                    "source": spec.source,
                    "licence": spec.licence,
                    "layers": list(recipe.layers),
                    "decoding": recipe.view.decoding,
                }
            )
    return found


ENTRANCES["pixels"] = PixelsEntrance()
ENTRANCES["tensor"] = TensorEntrance()
