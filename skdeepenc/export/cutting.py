"""Views in a graph: what `skdeepenc.images.plans` cuts out of one image, cut out of a batch.

Most views cut the same boxes out of every image, once it is warped to their canvas, and announce
them by `stacks`. Where the canvas follows the image's proportions its size is computed in the
graph, in the arithmetic of `skdeepenc.images.fits`, to the bit: whole numbers and doubles.
"""

from functools import singledispatch
from typing import NamedTuple

import numpy as np

from skdeepenc.exceptions import ExportError
from skdeepenc.export.resampling import resample
from skdeepenc.export.tensor import Tensor
from skdeepenc.export.writer import GraphWriter
from skdeepenc.images import Crops, Pyramid, Whole, Windows
from skdeepenc.images.fits import widened
from skdeepenc.images.plans import Network

__all__ = ["Pieces", "cut_views", "sizes_of"]


class Pieces(NamedTuple):
    """The pieces of one scale.

    Attributes
    ----------
    pixels : Tensor of shape (N * n, height, width, 3), uint8
        Image by image, its n pieces in their order.
    size : (int, int) or None
        Their height and width; None where these follow the image.
    rows, columns : int
        How the descriptors of an image's pieces are laid out.
    """

    pixels: Tensor
    size: tuple[int, int] | None
    rows: int = 1
    columns: int = 1


@singledispatch
def cut_views(view, g, images, network):
    """Cut a batch of images as a view does.

    Parameters
    ----------
    view : View
        What to cut.
    g : GraphWriter
        The graph.
    images : Tensor of shape (N, H, W, 3), uint8
        Images of one size.
    network : Network
        What the network takes.

    Returns
    -------
    list of Pieces
        One per scale.

    Raises
    ------
    ExportError
        If nobody knows how this view is cut in a graph.
    """
    raise ExportError(
        f"No graph is known for the view {type(view).__name__}: use Whole, Pyramid, Windows or "
        'Crops, or export with input="tensor" or "maps" and cut the images before.'
    )


def sizes_of(view, network):
    """Return (height, width) of the pieces of every scale; None for those that follow the image."""
    ways = (view.stacks(*image, network) for image in ((480, 640), (640, 480), (480, 480)))
    scales = zip(
        *([(stack.height, stack.width) for stack in stacks] for stacks in ways), strict=True
    )
    return [sizes[0] if len(set(sizes)) == 1 else None for sizes in scales]


@cut_views.register(Windows)
@cut_views.register(Crops)
def _cut_announced(view, g, images, network):
    """Cut what is the same for every image."""
    scales, canvas, canvas_size = [], images, None
    for number, stack in enumerate(view.stacks(1, 1, network)):
        with g.scope(f"scale {number}"):
            if canvas_size != stack.canvas:
                canvas_size = stack.canvas
                height, width = canvas_size
                canvas = resample(g, images, height, width, network.interpolation)
            scales.append(_cut_stack(g, canvas, stack, network.interpolation))
    return scales


def _cut_stack(g, canvas, stack, interpolation):
    boxes = [_boxed(g, canvas, box) for box in stack.boxes]
    top, left, bottom, right = stack.boxes[0]
    if stack.mirrored:
        boxes += [_mirrored(g, box) for box in boxes]
    pieces = boxes[0]
    if len(boxes) > 1:
        side_by_side = g.concat([g.Unsqueeze(box, np.array([1])) for box in boxes], axis=1)
        pieces = side_by_side.reshape(-1, bottom - top, right - left, 3)
    if (bottom - top, right - left) != (stack.height, stack.width):
        pieces = resample(g, pieces, stack.height, stack.width, interpolation)
    return Pieces(pieces, (stack.height, stack.width), stack.rows, stack.columns)


def _boxed(g, canvas, box):
    top, left, bottom, right = box
    return g.Slice(canvas, np.array([top, left]), np.array([bottom, right]), np.array([1, 2]))


def _mirrored(g, pieces):
    last, beyond = np.array([-1]), np.array([np.iinfo(np.int64).min])
    return g.Slice(pieces, last, beyond, np.array([2]), np.array([-1]))


@cut_views.register
def _cut_pyramid(view: Pyramid, g: GraphWriter, images: Tensor, network: Network) -> list[Pieces]:
    if view.aspect == "warp":
        return _cut_announced(view, g, images, network)
    unit = network.patch_size or 1
    scales = []
    for number, size in enumerate(view._sizes(network)):
        with g.scope(f"scale {number}"):
            height, width = _keep_aspect(g, images, min(size), unit)
            scales.append(Pieces(resample(g, images, height, width, network.interpolation), None))
    return scales


def _keep_aspect(g, images, side, unit):
    """Return the size whose shorter edge is `side`, its proportions as near as multiples allow."""
    height, width = images.side(1), images.side(2)
    longest, shortest = (
        g.cast(side, np.float64) for side in (g.Max(height, width), g.Min(height, width))
    )
    units = g.Round(_double(g, side) * longest / shortest / _double(g, unit))
    longer = g.cast(units * _double(g, unit), np.int64)
    is_upright = height > width
    return g.Where(is_upright, longer, side), g.Where(is_upright, side, longer)


@cut_views.register
def _cut_whole(view: Whole, g: GraphWriter, images: Tensor, network: Network) -> list[Pieces]:
    sides = network.sides(view.size)
    if view.fit == "warp":
        return _cut_announced(view, g, images, network)
    height, width = canvas = _canvas(g, images, widened(sides, view.crop_fraction), view.fit)
    pixels = resample(g, images, height, width, network.interpolation)
    if view.fit == "pad":
        pixels = _padded(g, pixels, canvas, sides, network.fill)
        canvas = pixels.side(1), pixels.side(2)
    begins = [
        _half(extent - side, view.rounding) for extent, side in zip(canvas, sides, strict=True)
    ]
    begin = g.concat(begins, axis=0)
    return [Pieces(g.Slice(pixels, begin, begin + np.array(sides), np.array([1, 2])), sides)]


def _canvas(g, images, full, fit):
    """Return the size that images of one size are resampled to, as `fits.fit_whole` does."""
    height, width = images.side(1), images.side(2)
    if fit == "crop" and full[0] == full[1]:
        shorter, one = g.Min(height, width), full[0]
        return tuple(side * one // shorter for side in (height, width))
    sides = [g.cast(side, np.float64) for side in (height, width)]
    choose = g.Max if fit == "pad" else g.Min
    ratio = choose(*(side / _double(g, whole) for side, whole in zip(sides, full, strict=True)))
    scaled = (g.cast(g.Round(side / ratio), np.int64) for side in sides)
    return tuple(g.Max(side, np.array([1])) for side in scaled)


def _padded(g, pixels, canvas, sides, fill):
    """Fill images up to the sides where they are smaller, half of it before them."""
    short = [
        g.Max(side - extent, np.array([0])) for extent, side in zip(canvas, sides, strict=True)
    ]
    before = [missing // np.array([2]) for missing in short]
    after = [missing - half for missing, half in zip(short, before, strict=True)]
    none = np.array([0])
    pads = g.concat([none, *before, none, none, *after, none], axis=0)
    colour = np.array(fill, dtype=np.float32)
    # Around what is left of the colour nothing has to be added.
    beside = g.Pad(g.cast(pixels, np.float32) - colour, pads)
    return g.cast(beside + colour, np.uint8)


def _half(spare, rounding):
    """Return half of what is left over: of an odd number, down or to the even one."""
    half = spare // np.array([2])
    if rounding == "down":
        return half
    odd = spare - half * 2
    return half + odd * (half - half // np.array([2]) * 2)


def _double(g, value):
    return g.constant(value, np.float64)
