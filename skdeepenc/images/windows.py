"""Views that give one descriptor per piece: sliding windows, and crops with their mirror images."""

import itertools
from collections.abc import Sequence
from numbers import Integral
from typing import Any, Literal

import numpy as np

from skdeepenc._sklearn import Interval, Options, StrOptions
from skdeepenc.images.plans import Network, Stack
from skdeepenc.images.sizes import both_sides, in_words
from skdeepenc.images.views import DECODING, View


class Windows(View):
    """All windows of some sizes over the warped image (MOP-CNN, section 3).

    The image is warped to a square; every window in it is resampled to the network's input and
    gives one descriptor. Each size is one scale of the maps, whose positions are the windows: with
    the defaults 1, 5 x 5 and 7 x 7.

    Parameters
    ----------
    image_size : int, default=256
        Side of the square that images are warped to.
    sizes : sequence of int, default=(256, 128, 64)
        Sides of the windows, one scale each, in pixels of that square.
    stride : int, default=32
        Step between neighbouring windows, in pixels of that square.
    pool : {"avg", "max"}, default="avg"
        How a convolutional map over a window becomes one descriptor; a fully connected layer's
        output is taken as it is.
    decoding : {"fast", "full"}, default="fast"
        Whether a JPEG may be decoded to a smaller size; see `Whole`.

    Examples
    --------
    >>> from skdeepenc.images import Network, Windows
    >>> [(stack.rows, stack.columns) for stack in Windows().stacks(480, 640, Network(224))]
    [(1, 1), (5, 5), (7, 7)]
    """

    _parameter_constraints: dict[str, Any] = {
        "image_size": [Interval(Integral, 1, None, closed="left")],
        "sizes": ["array-like"],
        "stride": [Interval(Integral, 1, None, closed="left")],
        "pool": [StrOptions({"avg", "max"})],
        **DECODING,
    }

    def __init__(
        self,
        image_size: int = 256,
        sizes: Sequence[int] = (256, 128, 64),
        stride: int = 32,
        pool: Literal["avg", "max"] = "avg",
        decoding: str = "fast",
    ) -> None:
        self.image_size = image_size
        self.sizes = sizes
        self.stride = stride
        self.pool = pool
        self.decoding = decoding

    def check(self, input_size: int | tuple[int, int]) -> None:
        """Refuse windows that are larger than the image they slide over."""
        super().check(input_size)
        wrong = [size for size in self.sizes if not 1 <= size <= self.image_size]
        if wrong or not len(self.sizes):
            raise ValueError(
                f"Windows needs sizes between 1 and image_size={self.image_size}, "
                f"not {tuple(self.sizes)}."
            )

    def stacks(self, height: int, width: int, network: Network) -> list[Stack]:
        """Announce one stack per window size, the windows row by row."""
        return [self._stack(size, network) for size in self.sizes]

    def smallest_edge(self, network: Network) -> int:
        """Return the side of the square."""
        return self.image_size

    def _stack(self, size, network):
        starts = range(0, self.image_size - size + 1, self.stride)
        boxes = [(top, left, top + size, left + size) for top in starts for left in starts]
        height, width = network.sides()
        square = self.image_size, self.image_size
        return Stack(height, width, square, tuple(boxes), len(starts), len(starts))


class Crops(View):
    """Crops of the network's input size and their mirror images, as one scale.

    Averages over them are the usual test-time augmentation: 5 crops and their mirror images are
    the baseline AP10, 25 and their mirror images AP50 of multi-scale pyramid pooling's section 4.

    Parameters
    ----------
    n : {1, 5, 25}, default=5
        Number of crops: the centre; the corners and the centre; or a regular grid of 5 x 5.
    flip : bool, default=True
        Whether the mirror image of each crop follows after all the crops.
    image_size : int, default=256
        Side of the square that images are warped to before.
    pool : {"avg", "max"}, default="avg"
        How a convolutional map over a crop becomes one descriptor; a fully connected layer's
        output is taken as it is.
    decoding : {"fast", "full"}, default="fast"
        Whether a JPEG may be decoded to a smaller size; see `Whole`.

    Examples
    --------
    >>> from skdeepenc.images import Crops, Network
    >>> (stack,) = Crops(n=5).stacks(480, 640, Network(227))
    >>> stack.n_pieces, stack.height, stack.width
    (10, 227, 227)
    """

    _parameter_constraints: dict[str, Any] = {
        "n": [Options(Integral, {1, 5, 25})],
        "flip": ["boolean"],
        "image_size": [Interval(Integral, 1, None, closed="left")],
        "pool": [StrOptions({"avg", "max"})],
        **DECODING,
    }

    def __init__(
        self,
        n: Literal[1, 5, 25] = 5,
        flip: bool = True,
        image_size: int = 256,
        pool: Literal["avg", "max"] = "avg",
        decoding: str = "fast",
    ) -> None:
        self.n = n
        self.flip = flip
        self.image_size = image_size
        self.pool = pool
        self.decoding = decoding

    def check(self, input_size: int | tuple[int, int]) -> None:
        """Refuse crops that are larger than the image they are taken from."""
        super().check(input_size)
        needed = max(both_sides(input_size))
        if self.image_size < needed:
            raise ValueError(
                f"Crops of the network's input size, {in_words(input_size)}, do not fit into "
                f"image_size={self.image_size}: give an image_size of at least {needed}."
            )

    def stacks(self, height: int, width: int, network: Network) -> list[Stack]:
        """Announce one stack of all crops."""
        height, width = _crop_size(network)
        corners = self._corners(self.image_size - height, self.image_size - width)
        boxes = tuple((top, left, top + height, left + width) for top, left in corners)
        square = self.image_size, self.image_size
        return [Stack(height, width, square, boxes, len(boxes) * (1 + self.flip), 1, self.flip)]

    def smallest_edge(self, network: Network) -> int:
        """Return the side of the square."""
        return self.image_size

    def _corners(self, below, beside):
        """Return the upper left corner of every crop, row by row, from the room that is left."""
        if self.n == 25:
            steps = np.linspace((0, 0), (below, beside), 5).round().astype(int)
            return list(itertools.product(*steps.T.tolist()))
        centre = (below // 2, beside // 2)
        if self.n == 1:
            return [centre]
        return [(0, 0), (0, beside), centre, (below, 0), (below, beside)]


def _crop_size(network):
    """Return height and width of the crops: rounded down to whole patches, for crops must fit."""
    unit = network.patch_size or 1
    return tuple(side // unit * unit for side in both_sides(network.input_size))
