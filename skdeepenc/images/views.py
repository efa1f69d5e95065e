"""Views: which parts of a picture the network sees, and at which sizes.

A view cuts one decoded picture into stacks of equal tensors, one stack a scale. Views are small
estimators, so that grid search reaches ``activationextractor__views__n_scales``. They know pixels
and sizes alone; the extractor runs the network and puts the maps together.
"""

import math
from abc import ABC, abstractmethod
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from PIL import Image
from sklearn.base import BaseEstimator

from skdeepenc._sklearn import Interval, StrOptions
from skdeepenc.exceptions import ImageError
from skdeepenc.images.sizes import both_sides


class Stack(NamedTuple):
    """The pieces of one scale, all of one size.

    Attributes
    ----------
    n_pieces : int
        How many pieces the scale has.
    height, width : int
        Their size in pixels.
    rows, columns : int
        How the pieces' descriptors are laid out; 1, 1 where a piece keeps its own map.
    """

    n_pieces: int
    height: int
    width: int
    rows: int = 1
    columns: int = 1


class View(BaseEstimator, ABC):
    """Base of views.

    A subclass says for a picture of any size which stacks it will cut (`plan`), cuts them (`cut`),
    and how much of the picture it needs (`smallest_edge`). `pool` is None where a piece's map is
    kept, or how the map of a piece becomes one descriptor: "avg" or "max".
    """

    pool: str | None = None

    @abstractmethod
    def plan(self, height, width, input_size, patch_size=None):
        """Say what will be cut, without cutting it.

        Parameters
        ----------
        height, width : int
            Size of the picture.
        input_size : int or (height, width)
            Size of the network's usual input.
        patch_size : int, optional
            What sides must be multiples of.

        Returns
        -------
        list of Stack
            One a scale.
        """

    @abstractmethod
    def cut(self, picture, input_size, patch_size=None):
        """Cut a picture into the stacks that `plan` announces.

        Parameters
        ----------
        picture : PIL.Image.Image
            A decoded picture, in mode RGB.
        input_size : int or (height, width)
            Size of the network's usual input.
        patch_size : int, optional
            What sides must be multiples of.

        Returns
        -------
        list of array of shape (n_pieces, height, width, 3), uint8
            One a scale.
        """

    @abstractmethod
    def smallest_edge(self, input_size, patch_size=None):
        """Return the shorter edge, in pixels, that a decoded picture must have for this view."""

    def check(self, input_size):
        """Raise ValueError where the parameters make no sense, alone or for this input size."""
        self._validate_params()

    def varies_in_size(self):
        """Tell whether pieces come in several sizes, of one picture or of several."""
        self._validate_params()
        plans = self.plan(1, 2, 64), self.plan(2, 1, 64)
        return len({(stack.height, stack.width) for plan in plans for stack in plan}) > 1


class Whole(View):
    """The whole picture at one size, whatever its proportions.

    Parameters
    ----------
    size : int, default=None
        Side of a square in pixels; None takes the network's input size, square or not.

    Examples
    --------
    >>> from skdeepenc.images import Whole
    >>> Whole(size=320).plan(480, 640, input_size=224)
    [Stack(n_pieces=1, height=320, width=320, rows=1, columns=1)]
    """

    _parameter_constraints: dict = {"size": [Interval(Integral, 1, None, closed="left"), None]}

    def __init__(self, size=None):
        self.size = size

    def plan(self, height, width, input_size, patch_size=None):
        """Announce one piece."""
        sides = both_sides(self.size or input_size)
        return [Stack(1, *(round_up(side, patch_size) for side in sides))]

    def cut(self, picture, input_size, patch_size=None):
        """Warp the picture to that size."""
        stacks = self.plan(picture.height, picture.width, input_size, patch_size)
        return [resize_to(picture, stack) for stack in stacks]

    def smallest_edge(self, input_size, patch_size=None):
        """Return the longer side."""
        return round_up(max(both_sides(self.size or input_size)), patch_size)


class Pyramid(View):
    """The whole picture at growing sizes (multi-scale pyramid pooling, section 3.1).

    Every size becomes one scale of the maps; all are cut from one decoded picture. The side at
    scale ``s`` is ``ceil(base * ratio ** s)``: with AlexNet's 227 and seven scales 227, 322, 454,
    643, 908, 1285 and 1816 pixels.

    Parameters
    ----------
    n_scales : int, default=7
        Number of sizes.
    ratio : float, default=2**0.5
        Each side by the one before; the default doubles the number of pixels.
    base : int, default=None
        Smallest side in pixels; None takes the network's input size, square or not.
    aspect : {"warp", "keep"}, default="warp"
        Whether pictures are warped to the network's proportions, usually a square, or keep their
        own with the shorter side as the length of their shorter edge.

    Examples
    --------
    >>> from skdeepenc.images import Pyramid
    >>> [stack.width for stack in Pyramid(n_scales=4).plan(480, 640, input_size=227)]
    [227, 322, 454, 643]
    >>> Pyramid(n_scales=1, base=300, aspect="keep").plan(480, 640, input_size=224)
    [Stack(n_pieces=1, height=300, width=400, rows=1, columns=1)]
    """

    _parameter_constraints: dict = {
        "n_scales": [Interval(Integral, 1, None, closed="left")],
        "ratio": [Interval(Real, 1, None, closed="neither")],
        "base": [Interval(Integral, 1, None, closed="left"), None],
        "aspect": [StrOptions({"warp", "keep"})],
    }

    def __init__(self, n_scales=7, ratio=2**0.5, base=None, aspect="warp"):
        self.n_scales = n_scales
        self.ratio = ratio
        self.base = base
        self.aspect = aspect

    def plan(self, height, width, input_size, patch_size=None):
        """Announce one piece a side."""
        sizes = self._sizes(input_size, patch_size)
        if self.aspect == "warp":
            return [Stack(1, *size) for size in sizes]
        return [Stack(1, *_keep_aspect(height, width, min(size), patch_size)) for size in sizes]

    def cut(self, picture, input_size, patch_size=None):
        """Resample the picture to every size."""
        stacks = self.plan(picture.height, picture.width, input_size, patch_size)
        return [resize_to(picture, stack) for stack in stacks]

    def smallest_edge(self, input_size, patch_size=None):
        """Return the largest side."""
        return max(self._sizes(input_size, patch_size)[-1])

    def _sizes(self, input_size, patch_size):
        """Return (height, width) at every scale."""
        base = both_sides(self.base or input_size)
        growth = [self.ratio**s for s in range(self.n_scales)]
        return [tuple(_grown(side, factor, patch_size) for side in base) for factor in growth]


def _grown(side, factor, multiple):
    # Powers of a rounded root miss whole numbers by a hair: 454.00000000000006 is 454.
    return round_up(math.ceil(round(side * factor, 6)), multiple)


def resize_to(picture, stack):
    """Resample a picture to one piece of a stack, averaging where it shrinks."""
    size = (stack.width, stack.height)
    resized = picture if picture.size == size else picture.resize(size, Image.Resampling.BILINEAR)
    return np.asarray(resized)[None]


def round_up(side, multiple):
    """Return the first multiple that is no smaller than `side`."""
    return side if multiple is None else -(-side // multiple) * multiple


def _keep_aspect(height, width, side, multiple):
    """Return the size whose shorter edge is `side`, its proportions as near as multiples allow."""
    unit = multiple or 1
    longer = round(side * max(height, width) / min(height, width) / unit) * unit
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and side * longer > limit:
        raise ImageError(
            f"{width} x {height} pixels are too narrow for aspect='keep': a shorter edge of {side} "
            f"makes the longer one {longer}"
        )
    return (side, longer) if height <= width else (longer, side)
