"""The extractor as a graph: views, preprocessing, the network, and its layers as maps."""

from itertools import pairwise
from typing import Any

import numpy as np

from skdeepenc.exceptions import ExportError, ModelError
from skdeepenc.export.cutting import Pieces, cut_views, sizes_of
from skdeepenc.export.grafting import Graft
from skdeepenc.export.maps import Maps
from skdeepenc.export.registry import register
from skdeepenc.export.resampling import shrink_to_grid
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.extraction.recipe import RGB

_POOLINGS = {"avg": "ReduceMean", "max": "ReduceMax"}


class Images:
    """The images of a batch in a graph, all of one size.

    Parameters
    ----------
    pixels : Tensor of shape (N, H, W, 3), uint8, or None
        The images, decoded.
    prepared : list of Tensor of shape (N, 3, H, W), or None
        What the network takes, one per scale, where views and preprocessing are done outside.
    pieces : list of Pieces or None
        What views cut, one per scale, where that is done outside.
    approximate : bool
        What `Maps` wants to know.
    """

    def __init__(self, pixels=None, prepared=None, pieces=None, approximate=False):
        self.pixels, self.prepared, self.pieces = pixels, prepared, pieces
        self.approximate = approximate


@register(ActivationExtractor)
def write_extractor(g, extractor, images):
    """Return the maps (N, H, W, D) of every layer and scale."""
    if not isinstance(images, Images):
        raise ExportError(
            "An extractor takes images, so it stands first in a pipeline: it cannot follow another "
            "step."
        )
    recipe = extractor.recipe()
    scales, tensors = _scales_of(g, images, recipe)
    outputs = _run(g, recipe, scales, tensors)
    layers = {
        layer: [
            _stored(g, _laid_out(g, maps[layer], scale, recipe.view.pool), recipe.dtype)
            for maps, scale in zip(outputs, scales, strict=True)
        ]
        for layer in recipe.layers
    }
    return Maps(layers, images.approximate)


def _scales_of(g, images, recipe):
    """Return the pieces of every scale, and what the network takes of them."""
    if images.prepared is not None:
        sizes = sizes_of(recipe.view, recipe.network)
        pixels = (_unprepared(g, tensor, recipe.preprocessing) for tensor in images.prepared)
        return list(map(Pieces, pixels, sizes)), images.prepared
    scales = images.pieces or cut_views(recipe.view, g, images.pixels, recipe.network)
    return scales, [_prepared(g, scale.pixels, recipe.preprocessing) for scale in scales]


def _prepared(g, pixels, preprocessing):
    """Return ``(pixel * scale - mean) / std``, channels first: `Preprocessing.to_tensor`."""
    if preprocessing.channel_order == "BGR":
        pixels = g.Gather(pixels, np.array([2, 1, 0]), axis=3)
    factors, terms = _affine(preprocessing)
    return g.cast(pixels, np.float32).transpose(0, 3, 1, 2) * factors - terms


def _affine(preprocessing):
    columns = [
        (preprocessing.scale / s, m / s)
        for m, s in zip(preprocessing.mean, preprocessing.std, strict=True)
    ]
    return np.array(columns, dtype=np.float32).T[:, :, None, None]


def _unprepared(g, tensor, preprocessing):
    """Return the bytes (N, H, W, 3) that a tensor was made of."""
    factors, terms = _affine(preprocessing)
    levels = g.Clip(g.Round((tensor + terms) / factors), 0.0, 255.0)
    pixels = g.cast(levels, np.uint8).transpose(0, 2, 3, 1)
    return (
        g.Gather(pixels, np.array([2, 1, 0]), axis=3)
        if preprocessing.channel_order == "BGR"
        else pixels
    )


def _run(g, recipe, scales, tensors):
    """Return the maps (pieces, rows, columns, D) of every scale, by layer.

    Pieces of one size run together: the nodes of the network are there once for each size.
    """
    graft = Graft(g, recipe.backbone.spec.name)
    outputs: list[Any] = [None] * len(scales)
    for size, members in _runs(scales):
        with g.scope(f"network {size and 'x'.join(map(str, size))}"):
            pixels = g.concat([tensors[n] for n in members], axis=0)
            maps = _network(g, graft, recipe.backbone, pixels, size)
        ends = _ends([tensors[n] for n in members])
        for n, (start, stop) in zip(members, pairwise(ends), strict=True):
            outputs[n] = {
                layer: each if len(members) == 1 else each.cut(start, stop, axis=0)
                for layer, each in maps.items()
            }
    if RGB in recipe.layers:
        deepest = [layer for layer in recipe.layers if layer != RGB][-1]
        for scale, maps in zip(scales, outputs, strict=True):
            grid = maps[deepest].side(1), maps[deepest].side(2)
            maps[RGB] = shrink_to_grid(g, scale.pixels, *grid)
    return outputs


def _runs(scales):
    """Yield which scales (their numbers) run together: those of one size that is known."""
    for size in dict.fromkeys(scale.size for scale in scales):
        members = [n for n, scale in enumerate(scales) if scale.size == size]
        yield from [(size, members)] if size else [(None, [n]) for n in members]


def _ends(tensors):
    """Return where each of some tensors begins along the first axis, and where the last ends."""
    ends = [np.array([0])]
    for tensor in tensors:
        ends.append(ends[-1] + tensor.side(0))
    return ends


def _network(g, graft, backbone, pixels, size):
    """Return the maps (B, rows, columns, D) of each layer."""
    try:
        placed = backbone.graph_at(size)
    except ModelError as error:
        raise ExportError(
            f"{error} Views of a single size, such as aspect='warp', can be exported."
        ) from error
    exits = list(placed.exits.items())

    def put(tensor):
        found = graft.put(
            placed.form, placed.load, tensor, placed.feeds, [exit_.output for _, exit_ in exits]
        )
        return [_as_map(g, each, exit_) for each, (_, exit_) in zip(found, exits, strict=True)]

    if placed.batch is None:
        maps = put(pixels)
    elif placed.batch == 1:
        maps = g.stack(
            pixels.side(0),
            lambda turn: [
                g.Squeeze(each, np.array([0])) for each in put(g.Gather(pixels, turn, axis=0))
            ],
        )
        maps = maps if isinstance(maps, list) else [maps]
    else:
        raise ExportError(
            f"The network takes {placed.batch} images at once, neither more nor less: export it "
            "with a batch of one or a free one, and fit the extractor on that."
        )
    return dict(zip((layer for layer, _ in exits), maps, strict=True))


def _as_map(g, output, exit_):
    """Return an output as (B, rows, columns, D) in float32."""
    if exit_.rank == 4:
        output = output if exit_.channels_last else output.transpose(0, 2, 3, 1)
    elif exit_.tokens is not None:
        axis, before, rows, columns = exit_.tokens
        tokens = output if axis == 1 else output.transpose(0, 2, 1)
        patches = tokens.cut(before, before + rows * columns, axis=1)
        output = patches.reshape(patches.side(0), rows, columns, patches.side(2))
    else:
        output = output.reshape(output.side(0), 1, 1, output.side(-1))
    return g.cast(output, np.float32)


def _laid_out(g, maps, scale, pool):
    """Return the maps of pieces as those of images: pooled pieces are the positions of one map."""
    if pool is None:
        return maps
    pooled = getattr(g, _POOLINGS[pool])(maps, np.array([1, 2]), keepdims=0)
    return pooled.reshape(-1, scale.rows, scale.columns, pooled.side(1))


def _stored(g, maps, dtype):
    """Round to the type in which the extractor keeps maps."""
    return maps if dtype == np.float32 else g.cast(g.cast(maps, dtype), np.float32)
