"""How well regions keep to an object: the measure of Chen et al., equation 1 and figure 4."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from skdeepenc._typing import Floats

__all__ = ["region_precision"]


def region_precision(
    regions: ArrayLike,
    box: ArrayLike,
    *,
    kind: Literal["labels", "boxes"] = "labels",
    image_size: tuple[int, int] | None = None,
) -> Floats:
    """Measure the share of each region that lies inside the box of an object.

    Parameters
    ----------
    regions : array-like of int
        With ``kind="labels"`` the cluster of each position, of shape (H, W) or
        (H, W, n_partitions), as `ClusterMAC.cluster_labels` gives for a scale; the clusters that
        occur are the regions. With ``kind="boxes"`` rectangles ``y0, x0, y1, x1`` in positions, of
        shape (n_regions, 4), as `skdeepenc.functional.rmac_regions` gives.
    box : array-like of shape (4,)
        The object's box, ``y0, x0, y1, x1``.
    kind : {"labels", "boxes"}, default="labels"
        What `regions` are.
    image_size : tuple of int or None, default=None
        Height and width of the image that `box` is drawn on, in pixels; the map of the labels
        covers it. None if `box` is in positions, as it must be with ``kind="boxes"``.

    Returns
    -------
    ndarray of shape (n_regions,)
        Shares from 0 to 1, partition by partition, in each by label. The mean of ``>= t`` over all
        regions of all queries is the curve of the paper's figure 4.

    Raises
    ------
    ValueError
        If the box is empty, or the arguments do not go together.

    References
    ----------
    Chen et al., "Aggregated deep feature from activation clusters for particular object
    retrieval", 2017, equation 1.

    Examples
    --------
    >>> from skdeepenc.inspection import region_precision
    >>> region_precision([[0, 0, 1], [0, 0, 2]], box=[0, 0, 1, 2.5])
    array([0.5, 0.5, 0. ])
    >>> region_precision([[0, 0, 2, 2], [0, 1, 2, 3]], [0, 0, 2, 2], kind="boxes")
    array([1. , 0.5])
    """
    regions, box = np.asarray(regions), np.asarray(box, dtype=np.float64)
    if box.shape != (4,) or not (box[:2] < box[2:]).all():
        raise ValueError(f"The box y0, x0, y1, x1 = {box.tolist()} is empty, or not four numbers.")
    if kind == "boxes":
        if image_size is not None:
            raise ValueError('With kind="boxes", give box in positions and no image_size.')
        return _precision_of_boxes(regions, box)
    if kind != "labels":
        raise ValueError(f'kind must be "labels" or "boxes", not {kind!r}.')
    if image_size is not None:
        box = box * np.tile(np.divide(regions.shape[:2], image_size), 2)
    return _precision_of_labels(regions.reshape(*regions.shape[:2], -1), box)


def _precision_of_boxes(regions, box):
    corners = np.maximum(regions[:, :2], box[:2]), np.minimum(regions[:, 2:], box[2:])
    shared = np.maximum(corners[1] - corners[0], 0).prod(axis=1)
    return shared / (regions[:, 2:] - regions[:, :2]).prod(axis=1)


def _precision_of_labels(labels, box):
    rows, columns = (_covered(labels.shape[axis], box[axis::2]) for axis in (0, 1))
    covered = np.outer(rows, columns).ravel()
    precisions = []
    for partition in labels.reshape(-1, labels.shape[2]).T:
        areas = np.bincount(partition)
        inside = np.bincount(partition, covered)
        precisions.append(inside[areas > 0] / areas[areas > 0])
    return np.concatenate(precisions)


def _covered(length, span):
    """Return how much of each position along an axis a span covers."""
    starts = np.arange(length)
    return np.clip(np.minimum(starts + 1, span[1]) - np.maximum(starts, span[0]), 0, 1)
