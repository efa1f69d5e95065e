"""What a view is going to cut out of an image, as a record that is made once and then followed.

An image is resampled to a canvas, boxes of the canvas become the pieces that the network sees, and
boxes that reach beyond the canvas are filled. Every view is such a plan, so there is one way to cut
and one place where pixels are resampled.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from skdeepenc.exceptions import ImageError
from skdeepenc.images.sizes import both_sides, round_up

FILTERS = {name.lower(): code for name, code in Image.Resampling.__members__.items()}


@dataclass(frozen=True)
class Network:
    """What a view must know of the network.

    Parameters
    ----------
    input_size : int or (height, width)
        Size of its usual input.
    patch_size : int, optional
        What sides must be multiples of.
    interpolation : str, default="bilinear"
        The filter that images are resampled with, one of `FILTERS`.
    fill : tuple of int, default=(0, 0, 0)
        The colour around an image that does not fill its piece.

    Examples
    --------
    >>> from skdeepenc.images import Network
    >>> Network((200, 300), patch_size=14).sides()
    (210, 308)
    """

    input_size: int | tuple[int, int]
    patch_size: int | None = None
    interpolation: str = "bilinear"
    fill: tuple[int, ...] = (0, 0, 0)

    def sides(self, size: int | tuple[int, int] | None = None) -> tuple[int, int]:
        """Return (height, width) of a size, the input's for None, rounded up to whole patches."""
        height, width = both_sides(self.input_size if size is None else size)
        return round_up(height, self.patch_size), round_up(width, self.patch_size)


@dataclass(frozen=True)
class Stack:
    """The pieces of one scale, all of one size.

    Attributes
    ----------
    height, width : int
        Size of every piece in pixels.
    canvas : (int, int)
        Height and width that the image is resampled to before it is cut.
    boxes : tuple of (top, left, bottom, right)
        The pieces in pixels of the canvas, half open; resampled where they have another size.
    rows, columns : int
        How the pieces' descriptors are laid out; 1, 1 where a piece keeps its own map.
    mirrored : bool
        Whether the mirror image of every piece follows after all the pieces.
    """

    height: int
    width: int
    canvas: tuple[int, int]
    boxes: tuple[tuple[int, int, int, int], ...]
    rows: int = 1
    columns: int = 1
    mirrored: bool = False

    @property
    def n_pieces(self) -> int:
        """How many pieces the scale has."""
        return len(self.boxes) * (1 + self.mirrored)

    @classmethod
    def of_whole(cls, height: int, width: int) -> Self:
        """Make the stack of the whole image at one size."""
        return cls(height, width, (height, width), ((0, 0, height, width),))


@dataclass(frozen=True)
class Plan:
    """Everything that is cut out of one image.

    Attributes
    ----------
    stacks : tuple of Stack
        One per scale.
    interpolation : str
        The filter that pixels are resampled with.
    fill : tuple of int
        The colour of pixels beyond the image.
    """

    stacks: tuple[Stack, ...]
    interpolation: str = "bilinear"
    fill: tuple[int, ...] = (0, 0, 0)


def cut_plan(image: Image.Image, plan: Plan) -> list[NDArray[np.uint8]]:
    """Cut an image into pieces.

    Parameters
    ----------
    image : PIL.Image.Image
        A decoded image, in mode RGB.
    plan : Plan
        What to cut.

    Returns
    -------
    list of array of shape (n_pieces, height, width, 3), uint8
        One per scale.
    """
    pieces, canvas = [], None
    for stack in plan.stacks:
        if canvas is None or (canvas.height, canvas.width) != stack.canvas:
            canvas = _resampled(image, stack.canvas, plan)
        pieces.append(_cut_stack(canvas, stack, plan))
    return pieces


def _cut_stack(canvas, stack, plan):
    size = stack.height, stack.width
    pieces = [
        np.asarray(_resampled(_cropped(canvas, box, plan), size, plan)) for box in stack.boxes
    ]
    if stack.mirrored:
        pieces += [piece[:, ::-1] for piece in pieces]
    return pieces[0][None] if len(pieces) == 1 else np.stack(pieces)


def _resampled(image, size, plan):
    """Resample an image to (height, width), averaging where it shrinks."""
    height, width = size
    if image.size == (width, height):
        return image
    return image.resize((width, height), FILTERS[plan.interpolation])


def _cropped(canvas, box, plan):
    """Cut a box out of a canvas; what lies beyond the canvas is filled."""
    top, left, bottom, right = box
    if box == (0, 0, canvas.height, canvas.width):
        return canvas
    if min(top, left) >= 0 and bottom <= canvas.height and right <= canvas.width:
        return canvas.crop((left, top, right, bottom))
    piece = Image.new("RGB", (right - left, bottom - top), plan.fill)
    piece.paste(canvas, (-left, -top))
    return piece


def check_extent(height, width, canvas, what):
    """Refuse slivers that would grow beyond Pillow's limit when their shorter edge does."""
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and canvas[0] * canvas[1] > limit:
        raise ImageError(
            f"{width} x {height} pixels are too narrow for {what}: a shorter edge of "
            f"{min(canvas)} makes the longer one {max(canvas)}"
        )
    return canvas
