"""Keep the activations inside a box of each image, as if the network had seen the image whole.

Chen et al. call queries made so "crop X"; cropping the images first is "crop I". A position is
kept if its centre lies in the box, and at least one row and one column are.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skdeepenc._typing import Floats, Integers
from skdeepenc.exceptions import FeatureMapsError

if TYPE_CHECKING:
    from skdeepenc.maps.feature_maps import FeatureMaps

__all__ = ["cropped_columns"]


def cropped_columns(
    maps: "FeatureMaps", boxes: ArrayLike, image_sizes: ArrayLike | None = None
) -> tuple[dict[str, Floats], dict[str, Integers]]:
    """Return values and grids, by layer, of the positions inside a box of each image.

    Parameters
    ----------
    maps : FeatureMaps
        What to crop.
    boxes, image_sizes : array-like
        As `FeatureMaps.crop` takes them.

    Returns
    -------
    values, grids : dict
        As `FeatureMaps.from_values` takes them.
    """
    boxes = np.asarray(boxes, dtype=np.float64)
    sizes = _image_sizes(maps) if image_sizes is None else np.asarray(image_sizes, np.float64)
    _check_boxes(boxes, sizes, len(maps), in_pixels=image_sizes is not None)
    values, grids = {}, {}
    for layer in maps.layers:
        grid = maps.grid(layer)
        starts, stops = _kept_positions(grid, boxes, sizes)
        inside = _inside(grid, starts, stops)
        values[layer] = maps.values(layer)[inside]
        grids[layer] = np.where(grid.all(axis=2, keepdims=True), stops - starts, 0)
    return values, grids


def _image_sizes(maps: "FeatureMaps") -> NDArray[np.float64]:
    """Return the grid of each image, where all its maps share one."""
    grids = np.concatenate([maps.grid(layer) for layer in maps.layers], axis=1)
    if np.any(grids != grids[:, :1]):
        raise FeatureMapsError(
            "The maps differ in size between layers or scales, so boxes cannot be in positions: "
            "give them in pixels, and the sizes of the images as image_sizes."
        )
    return grids[:, 0].astype(np.float64)


def _check_boxes(
    boxes: NDArray[np.float64], sizes: NDArray[np.float64], n_images: int, in_pixels: bool
) -> None:
    for name, given, shape in (("boxes", boxes, (n_images, 4)), ("image_sizes", sizes, None)):
        shape = shape or (n_images, 2)
        if given.shape != shape:
            raise FeatureMapsError(
                f"{name} has shape {given.shape}; {n_images} images need {shape}."
            )
    outside = (boxes[:, :2] < 0).any(axis=1) | (boxes[:, 2:] > sizes).any(axis=1)
    empty = np.any(~(boxes[:, :2] < boxes[:, 2:]), axis=1)  # so that NaN counts as empty
    for image in np.flatnonzero(outside | empty)[:1]:
        fault = "is empty" if empty[image] else "reaches outside the image"
        unit = "pixels" if in_pixels else "positions (give image_sizes for boxes in pixels)"
        raise FeatureMapsError(
            f"The box of image {image}, y0, x0, y1, x1 = {boxes[image].tolist()}, {fault}, which "
            f"has {sizes[image][0]:g} x {sizes[image][1]:g} {unit}."
        )


def _kept_positions(
    grid: Integers, boxes: NDArray[np.float64], sizes: NDArray[np.float64]
) -> tuple[Integers, Integers]:
    """Return the first row and column of each map inside its box, and those after the last."""
    scaled = boxes.reshape(-1, 1, 2, 2) / np.maximum(sizes, 1)[:, None, None] * grid[:, :, None]
    starts, stops = np.ceil(scaled - 0.5).astype(np.int64).transpose(2, 0, 1, 3)
    thin = starts >= stops  # between two centres: keep the position that holds the box's middle
    middle = np.minimum(np.floor(scaled.mean(axis=2)), grid - 1).astype(np.int64)
    return np.where(thin, middle, starts), np.where(thin, middle + 1, stops)


def _inside(grid: Integers, starts: Integers, stops: Integers) -> NDArray[np.bool_]:
    """Return a mask of all positions of a layer."""
    sizes, starts, stops = (array.reshape(-1, 2) for array in (grid, starts, stops))
    lengths = sizes.prod(axis=1)
    segment = np.repeat(np.arange(len(lengths)), lengths)
    within = np.arange(len(segment)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    places = np.stack(np.divmod(within, sizes[segment, 1]), axis=1)
    return np.all((places >= starts[segment]) & (places < stops[segment]), axis=1)
