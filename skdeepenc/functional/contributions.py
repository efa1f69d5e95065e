"""What each position adds to the product of an image's vector with a direction.

An image's vector x is made of a sum over positions, ``v = sum_p c_p``, and of steps on v alone:
powers, lengths, projections. For a direction h, such as the other image of a match, this splits

    h . x = sum_p s_p   exactly,

by taking h back through the steps, last one first. A step that scales components,
``x_d = g_d v_d`` with ``g_d = |v_d|^(power - 1)`` or ``1 / |v|``, hands on ``g_d h_d``. A
projection ``x = W (v - m)`` hands on ``W^T h``, and ``-h . W m``, which belongs to no position,
goes to all in equal shares. A maximum is what the position adds where it is.

All functions take one image: columns of length one, and give a map (H, W) of shares per scale.
"""

from dataclasses import replace

import numpy as np

from skdeepenc.exceptions import FeatureMapsError
from skdeepenc.functional.cross_layer import cross_layer_vectors, guided
from skdeepenc.functional.global_pooling import pool_globally
from skdeepenc.functional.mop_vlad import VLADLevel, assigned, encode_level, join_levels
from skdeepenc.functional.normalize import l2_normalize
from skdeepenc.functional.pca import project, project_to_unit
from skdeepenc.functional.regions import rmac_regions, rows_of_regions
from skdeepenc.functional.spatial_pyramid import cells_of_images
from skdeepenc.functional.vlad import vlad_of_segments

__all__ = ["split_cross_layer", "split_global_pooling", "split_mop", "split_region_sum"]

_SPLIT_METHODS = ("avg", "cls", "gem", "max", "rmac")


def literal_split(addends, vector, direction):
    """Return the shares of addends c_p, given the vector that their sum was scaled to."""
    total = sum(addends)
    gains = [x / v if v else 0.0 for x, v in zip(vector, total, strict=True)]
    return np.array([sum(direction * gains * addend) for addend in addends])


def split_global_pooling(column, record, direction, class_tokens=None):
    """Split over positions what `pool_globally` gives.

    Parameters
    ----------
    column : Column or None
        Descriptors of one image; not looked at by the method "cls".
    record : GlobalPooling
        How they are pooled.
    direction : ndarray of shape (n_features,)
        What the vector is multiplied with.
    class_tokens : Column or None, default=None
        The class tokens of the image, for the method "cls".

    Returns
    -------
    list of ndarray of shape (H, W)
        The shares at each scale, of one method after the other.

    Raises
    ------
    FeatureMapsError
        If a method is not a sum over positions or regions.
    """
    unknown = sorted(set(record.methods) - set(_SPLIT_METHODS))
    if unknown:
        raise FeatureMapsError(
            f"Pooling by {unknown} is not split over positions: of GlobalPooler's methods, "
            f"{', '.join(_SPLIT_METHODS)} are."
        )
    columns = [class_tokens if method == "cls" else column for method in record.methods]
    each_scale = record.across_scales == "concatenate"
    widths = [own.values.shape[1] * (own.n_scales if each_scale else 1) for own in columns]
    directions = np.split(direction, np.cumsum(widths)[:-1])
    shares = []
    for own, method, part in zip(columns, record.methods, directions, strict=True):
        shares += _split_scales(own, method, record, part)
    return shares


def _split_scales(column, method, record, direction):
    """Return the shares of one method at each scale."""
    single = replace(record, methods=(method,), across_scales="concatenate")
    scales = [column.at_scale(scale) for scale in range(column.n_scales)]
    pooled = np.stack([pool_globally(scale, single, scale)[0] for scale in scales])
    directions, joined = direction.reshape(-1, pooled.shape[1]), pooled
    if record.across_scales == "mean":
        n_present = max(column.grids.all(axis=2).sum(), 1)
        directions = np.repeat(directions / n_present, len(scales), axis=0)
        joined = pooled.sum(axis=0) / n_present
    if record.normalize:
        directions = directions / (np.linalg.norm(joined) or 1)
    shares = []
    for scale, vector, own in zip(scales, pooled, directions, strict=True):
        addends = _addends(scale, method, record)
        shares += _as_maps(scale, _shares(addends, vector, own))
    return shares


def _addends(scale, method, record):
    """Return what positions add (n, D) to a vector that the pooled one is a multiple of."""
    values = scale.values
    if method in ("avg", "cls"):
        return values
    if method == "gem":
        largest = values.max(axis=0, initial=0)
        return (np.maximum(values, 0) / np.where(largest > 0, largest, 1)) ** record.p
    regions = [np.arange(len(values))] if len(values) else []
    if method == "rmac":
        height, width = scale.grids[0, 0]
        regions = rows_of_regions(rmac_regions(height, width, record.n_levels), width)
    addends = np.zeros_like(values)
    for rows in regions:
        where, maxima = _maxima(values, rows)
        np.add.at(addends, (where, np.arange(len(maxima))), l2_normalize(maxima))
    return addends


def split_mop(column, record, direction):
    """Split over positions what `multiscale_vlad` gives.

    Parameters
    ----------
    column : Column
        Descriptors of one image.
    record : MOPRecord
        What was learned.
    direction : ndarray of shape (n_features,)
        What the vector is multiplied with.

    Returns
    -------
    list of ndarray of shape (H, W)
        The shares at each scale.
    """
    rest = 0.0
    if record.whitening is not None:
        vector = join_levels(column, record)[0]
        direction, rest = _through_projection(direction, vector, record.whitening)
    parts = [column]
    if not record.union:
        parts = [column.at_scale(scale) for scale in range(column.n_scales)]
    ends = np.cumsum([level.n_features for level in record.levels])[:-1]
    levels = zip(parts, record.levels, np.split(direction, ends), strict=True)
    return _as_maps(column, _spread(np.concatenate([_split_level(*each) for each in levels]), rest))


def _split_level(part, level, direction):
    """Return the share of every position of one level."""
    if not isinstance(level, VLADLevel):
        addends = part.values
        if level.pooling == "max" and len(addends):
            where, maxima = _maxima(part.values, np.arange(len(addends)))
            addends = np.zeros_like(part.values)
            addends[where, np.arange(len(maxima))] = maxima
        return _shares(addends, encode_level(part, level)[0], direction)
    vector, rest = encode_level(part, replace(level, reduction=None))[0], 0.0
    if level.reduction is not None:
        direction, rest = _through_projection(direction, vector, level.reduction)
    if not len(part.values):
        return np.zeros(0)
    components, indices, weights = assigned(part.values, level)
    bounds = [0, len(components)]
    residuals = vlad_of_segments(components, bounds, level.codebook, indices, weights)[0]
    pulled = (direction * _gains(vector, residuals.ravel())).reshape(residuals.shape)
    products = components @ pulled.T - np.einsum("kd,kd->k", pulled, level.codebook)
    return _spread((np.take_along_axis(products, indices, axis=1) * weights).sum(axis=1), rest)


def split_cross_layer(features, guidance, record, direction):
    """Split over positions what `cross_layer_vectors` gives.

    Parameters
    ----------
    features, guidance : Column
        Features of one image, and what guides their pooling.
    record : CrossLayerRecord
        What was learned.
    direction : ndarray of shape (n_features,)
        What the vector is multiplied with.

    Returns
    -------
    list of ndarray of shape (H, W)
        The shares at each scale.

    Raises
    ------
    FeatureMapsError
        If maxima are pooled.
    """
    if record.pooling != "sum":
        raise FeatureMapsError('CrossLayerPooler is split over positions with pooling="sum" alone.')
    vector = cross_layer_vectors(features, guidance, record)[0]
    values, weights = guided(features, guidance, record)
    cells = [
        rows
        for order, bounds in cells_of_images(features.grids, record.levels)
        for rows in np.split(np.arange(len(values))[order], bounds[1:-1])
    ]
    shares = np.zeros(len(values), np.result_type(values, direction))
    parts = zip(cells, *(np.split(each, len(cells)) for each in (direction, vector)), strict=True)
    for rows, own, pooled in parts:
        total = weights[rows].T @ values[rows]
        pulled = (own * _gains(pooled, total.ravel())).reshape(total.shape)
        shares[rows] += np.einsum("ik,ik->i", weights[rows], values[rows] @ pulled.T)
    return _as_maps(features, shares)


def split_region_sum(column, colors, record, direction):
    """Split over positions what `sum_over_regions` gives.

    Parameters
    ----------
    column : Column
        Descriptors of one image.
    colors : Column or None
        Colours of the same positions, None for none.
    record : RegionSum
        What was learned.
    direction : ndarray of shape (n_features,)
        What the vector is multiplied with.

    Returns
    -------
    list of ndarray of shape (H, W)
        The shares at each scale.
    """
    values, regions = column.values, record.regions.rows(column, colors)
    shares = np.zeros(len(values), np.result_type(values, direction))
    if not regions:
        return _as_maps(column, shares)
    places, maxima = zip(*(_maxima(values, rows) for rows in regions), strict=True)
    units = vectors = l2_normalize(np.stack(maxima))
    if record.whitening is not None:
        vectors = project_to_unit(units, record.whitening)
    own, rest = direction / (np.linalg.norm(vectors.sum(axis=0)) or 1), 0.0
    for rows, where, unit in zip(regions, places, units, strict=True):
        pulled = own
        if record.whitening is not None:
            pulled, rest = _through_projection(own, unit, record.whitening)
        np.add.at(shares, where, pulled * unit)
        shares[rows] = _spread(shares[rows], rest)
    return _as_maps(column, shares)


def _through_projection(direction, vector, pca):
    """Return the direction before `project_to_unit`, and what the mean adds to the product."""
    projected = project(vector[None], pca)[0]
    length = np.linalg.norm(projected)
    if not (length and vector.any()):
        return np.zeros_like(vector), 0.0
    own = pulled = direction / length
    if pca.whiten:
        deviations = np.sqrt(pca.explained_variance_)
        pulled = np.divide(own, deviations, out=np.zeros_like(own), where=deviations > 0)
    pulled = pulled @ pca.components_
    return pulled, float(own @ projected - pulled @ vector)


def _maxima(values, rows):
    """Return where among some rows the maximum of each channel is, and the maxima."""
    where = rows[values[rows].argmax(axis=0)]
    return where, values[where, np.arange(values.shape[1])]


def _shares(addends, vector, direction):
    """Return the shares (n,) of addends (n, D) whose sum was scaled to a vector."""
    return addends @ (direction * _gains(vector, addends.sum(axis=0)))


def _gains(vector, total):
    """Return by what each component was scaled; zero where there was nothing to scale."""
    return np.divide(vector, total, out=np.zeros_like(vector), where=total != 0)


def _spread(shares, rest):
    """Give every position an equal part of what belongs to no position."""
    return shares + rest / max(len(shares), 1)


def _as_maps(column, shares):
    """Return the shares of one image as a map (H, W) per scale."""
    return [each[..., 0] for each in column.with_values(shares[:, None]).maps]
