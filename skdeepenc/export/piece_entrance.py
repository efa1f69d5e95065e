"""Graphs that are given what views cut, as bytes: those that `OnnxPipeline` runs.

Cut by Pillow in Python's threads the pieces are, to the bit, what the extractor sees. As bytes they
are a quarter of what the network takes, and become that where the network runs.
"""

import numpy as np

from skdeepenc.exceptions import ExportError
from skdeepenc.export.converters.extractor import Images
from skdeepenc.export.cutting import Pieces, sizes_of
from skdeepenc.export.image_entrances import PixelsEntrance, recipe_of
from skdeepenc.extraction import ActivationExtractor

__all__ = ["PieceEntrance", "piece_input"]

_ANY = 480, 640  # of an image; how pieces are laid out depends on none


class PieceEntrance(PixelsEntrance):
    """One input per scale, uint8 of shape (N * n_pieces, height, width, 3)."""

    def steps(self, pipeline):
        """Return all steps, of which the first is an extractor."""
        steps = super().steps(pipeline)
        if not isinstance(steps[0][1], ActivationExtractor):
            raise ExportError(
                f"The pipeline begins with {type(steps[0][1]).__name__}, and one session has one "
                "network: give a pipeline that begins with an ActivationExtractor."
            )
        return steps

    def open(self, g, pipeline, approximate):
        """Declare the pieces of every scale."""
        recipe = recipe_of(self.steps(pipeline))
        stacks = recipe.view.stacks(*_ANY, recipe.network)
        sizes = sizes_of(recipe.view, recipe.network)
        pieces = [
            _declared(g, piece_input(scale), size, stack)
            for scale, (size, stack) in enumerate(zip(sizes, stacks, strict=True))
        ]
        return Images(pieces=pieces, approximate=approximate)


def _declared(g, name, size, stack):
    sides = size or (f"{name} height", f"{name} width")
    pixels = g.input(name, np.uint8, [f"{name} pieces", *sides, 3])
    return Pieces(pixels, size, stack.rows, stack.columns)


def piece_input(scale):
    """Return the name of the input of a scale."""
    return f"pieces/{scale}"
