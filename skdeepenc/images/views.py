"""Views: which parts of an image the network sees, and at which sizes.

A view cuts one decoded image into stacks of equal tensors, one stack per scale. Views are small
estimators, so that grid search reaches ``activationextractor__views__n_scales``. They know pixels
and sizes alone; the extractor runs the network and puts the maps together.
"""

import math
from abc import ABC, abstractmethod
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.base import BaseEstimator

from skdeepenc._sklearn import Interval, StrOptions
from skdeepenc.images.fits import fit_whole, widened
from skdeepenc.images.plans import Network, Plan, Stack, check_extent, cut_plan
from skdeepenc.images.sizes import both_sides, in_words


class View(BaseEstimator, ABC):
    """Base of views.

    A subclass says for an image of any size which stacks it will cut (`stacks`), and how much of
    the image it needs (`smallest_edge`). One that looks at the pixels overrides `plan`, and gives
    an estimate in `stacks`. `pool` is None where a piece's map is kept, or how the map of a piece
    becomes one descriptor: "avg" or "max". `decoding` is "fast" where formats that can decode to a
    smaller size may do so, or "full".
    """

    pool: str | None = None
    decoding = "fast"

    @abstractmethod
    def stacks(self, height: int, width: int, network: Network) -> list[Stack]:
        """Say what is cut out of an image of this size, before there is one.

        Parameters
        ----------
        height, width : int
            Size of the image.
        network : Network
            What the network takes.

        Returns
        -------
        list of Stack
            One per scale.
        """

    @abstractmethod
    def smallest_edge(self, network: Network) -> int:
        """Return the shorter edge, in pixels, that a decoded image must have for this view."""

    def plan(self, image: Image.Image, network: Network) -> Plan:
        """Say what is cut out of an image, once.

        Parameters
        ----------
        image : PIL.Image.Image
            A decoded image, in mode RGB.
        network : Network
            What the network takes.

        Returns
        -------
        Plan
            What `cut` follows.
        """
        stacks = self.stacks(image.height, image.width, network)
        return Plan(tuple(stacks), network.interpolation, network.fill)

    def cut(self, image: Image.Image, plan: Plan) -> list[NDArray[np.uint8]]:
        """Cut an image as planned.

        Parameters
        ----------
        image : PIL.Image.Image
            The image that was planned for.
        plan : Plan
            What `plan` returned.

        Returns
        -------
        list of array of shape (n_pieces, height, width, 3), uint8
            One per scale.
        """
        return cut_plan(image, plan)

    def decoded_edge(self, network: Network) -> int | None:
        """Return the shorter edge that will do when decoding; None asks for every pixel."""
        return None if self.decoding == "full" else self.smallest_edge(network)

    def check(self, input_size: int | tuple[int, int]) -> None:
        """Raise ValueError where the parameters make no sense, alone or for this input size."""
        self._validate_params()

    def varies_in_size(self) -> bool:
        """Tell whether pieces come in several sizes, of one image or of several."""
        self._validate_params()
        stacks = [*self.stacks(1, 2, Network(64)), *self.stacks(2, 1, Network(64))]
        return len({(stack.height, stack.width) for stack in stacks}) > 1


DECODING = {"decoding": [StrOptions({"fast", "full"})]}


class Whole(View):
    """The whole image, or its centre, at one size.

    The default warps the image to the network's input. Networks from timm and transformers usually
    saw the centre: the shorter edge is resampled to ``size / crop_fraction``, then `size` pixels in
    the middle are cut out.

    Parameters
    ----------
    size : int or (height, width), default=None
        Side of a square in pixels, or both; None takes the network's input size. Rounded up to
        whole patches of a transformer.
    fit : {"warp", "crop", "pad"}, default="warp"
        What happens to images of other proportions: they are warped to the size; cropped to their
        centre, the shorter edge deciding; or padded with the mean colour, the longer edge deciding.
    crop_fraction : float, default=1.0
        How much of the resampled image's side is kept, between 0 and 1: 0.875 takes the centre 224
        of 256 pixels.
    rounding : {"even", "down"}, default="even"
        Where the centre falls between two pixels: the even one, as torchvision and timm take, or
        the lower one, as transformers does.
    decoding : {"fast", "full"}, default="fast"
        Whether a JPEG may be decoded to a half, a quarter or an eighth where one and a half times
        the size is left. That moves pixels by 1.2 grey levels in the mean; "full" decodes every
        pixel, so that they equal those of Pillow, torchvision and transformers.

    Examples
    --------
    >>> from PIL import Image
    >>> from skdeepenc.images import Network, Whole
    >>> view = Whole(fit="crop", crop_fraction=0.875)
    >>> plan = view.plan(Image.new("RGB", (640, 480)), Network(224))
    >>> plan.stacks[0].canvas, plan.stacks[0].boxes
    ((256, 341), ((16, 58, 240, 282),))
    """

    _parameter_constraints: dict[str, Any] = {
        "size": [Interval(Integral, 1, None, closed="left"), "array-like", None],
        "fit": [StrOptions({"warp", "crop", "pad"})],
        "crop_fraction": [Interval(Real, 0, 1, closed="right")],
        "rounding": [StrOptions({"even", "down"})],
        **DECODING,
    }

    def __init__(
        self,
        size: int | tuple[int, int] | None = None,
        fit: str = "warp",
        crop_fraction: float = 1.0,
        rounding: str = "even",
        decoding: str = "fast",
    ) -> None:
        self.size = size
        self.fit = fit
        self.crop_fraction = crop_fraction
        self.rounding = rounding
        self.decoding = decoding

    def check(self, input_size: int | tuple[int, int]) -> None:
        """Refuse sizes that are not a height and a width."""
        super().check(input_size)
        sides = both_sides(1 if self.size is None else self.size)
        if min(sides) < 1:
            raise ValueError(f"size of Whole must be positive, not {in_words(sides)}.")

    def stacks(self, height: int, width: int, network: Network) -> list[Stack]:
        """Announce one piece."""
        return [fit_whole(height, width, network.sides(self.size), self)]

    def smallest_edge(self, network: Network) -> int:
        """Return the longer side, before the crop."""
        return max(widened(network.sides(self.size), self.crop_fraction))


class Pyramid(View):
    """The whole image at growing sizes (multi-scale pyramid pooling, section 3.1).

    Every size becomes one scale of the maps; all are cut from one decoded image. The side at
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
        Whether images are warped to the network's proportions, usually a square, or keep their
        own with the shorter side as the length of their shorter edge.
    decoding : {"fast", "full"}, default="fast"
        Whether a JPEG may be decoded to a smaller size; see `Whole`.

    Examples
    --------
    >>> from skdeepenc.images import Network, Pyramid
    >>> [stack.width for stack in Pyramid(n_scales=4).stacks(480, 640, Network(227))]
    [227, 322, 454, 643]
    >>> (stack,) = Pyramid(n_scales=1, base=300, aspect="keep").stacks(480, 640, Network(224))
    >>> stack.height, stack.width
    (300, 400)
    """

    _parameter_constraints: dict[str, Any] = {
        "n_scales": [Interval(Integral, 1, None, closed="left")],
        "ratio": [Interval(Real, 1, None, closed="neither")],
        "base": [Interval(Integral, 1, None, closed="left"), None],
        "aspect": [StrOptions({"warp", "keep"})],
        **DECODING,
    }

    def __init__(
        self,
        n_scales: int = 7,
        ratio: float = 2**0.5,
        base: int | None = None,
        aspect: Literal["warp", "keep"] = "warp",
        decoding: str = "fast",
    ) -> None:
        self.n_scales = n_scales
        self.ratio = ratio
        self.base = base
        self.aspect = aspect
        self.decoding = decoding

    def stacks(self, height: int, width: int, network: Network) -> list[Stack]:
        """Announce one piece per side."""
        sizes = self._sizes(network)
        if self.aspect == "keep":
            sizes = [_keep_aspect(height, width, min(size), network.patch_size) for size in sizes]
        return [Stack.of_whole(*size) for size in sizes]

    def smallest_edge(self, network: Network) -> int:
        """Return the largest side."""
        return max(self._sizes(network)[-1])

    def _sizes(self, network):
        """Return (height, width) at every scale."""
        base = both_sides(self.base or network.input_size)
        growth = [self.ratio**s for s in range(self.n_scales)]
        return [network.sides([_grown(side, factor) for side in base]) for factor in growth]


def _grown(side, factor):
    # Powers of a rounded root miss whole numbers by a hair: 454.00000000000006 is 454.
    return math.ceil(round(side * factor, 6))


def _keep_aspect(height, width, side, multiple):
    """Return the size whose shorter edge is `side`, its proportions as near as multiples allow."""
    unit = multiple or 1
    longer = round(side * max(height, width) / min(height, width) / unit) * unit
    size = (side, longer) if height <= width else (longer, side)
    return check_extent(height, width, size, "aspect='keep'")
