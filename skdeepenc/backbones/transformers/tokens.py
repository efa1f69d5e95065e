"""Lay the tokens of a vision transformer out on the grid of patches that they stand for."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from onnx import helper, numpy_helper

from skdeepenc.backbones.graphs.graph import with_nodes
from skdeepenc.exceptions import ModelError
from skdeepenc.images.sizes import both_sides

#: What follows a layer's name to mean its class token.
CLASS_TOKEN = "[cls]"


class TokenLayout(NamedTuple):
    """Where the patches stand among a tensor's tokens.

    Attributes
    ----------
    axis : int
        The axis of tokens, of a tensor of three axes.
    patch : (int, int)
        Height and width, in pixels, of what one token stands for.
    before : int
        Tokens before the patches: a class token, registers.
    has_class : bool
        Whether the first of them is a class token.
    """

    axis: int
    patch: tuple[int, int]
    before: int
    has_class: bool


def supposed_layout(n_tokens, image_shape, patch_size):
    """Suppose where the patches stand where the graph does not tell: after all others.

    Parameters
    ----------
    n_tokens : int
        Tokens of an image.
    image_shape : tuple of int
        Height and width of the images.
    patch_size : int or None
        Side of a patch, as the model's description has it.

    Returns
    -------
    TokenLayout
        The layout.

    Raises
    ------
    ModelError
        If nobody says how large a patch is.
    """
    if patch_size is None:
        raise ModelError(
            "it gives tokens, and nothing says how large a patch is. Say so in the file: "
            "write_spec(model, ModelSpec(..., patch_size=...)), with skdeepenc.backbones."
        )
    return _after_all_others(n_tokens, image_shape, (patch_size, patch_size))


def seen_layout(n_tokens, image_shape, grid, size):
    """Tell where the patches stand by the map that was laid out as tokens for another size."""
    height, width = both_sides(size)
    return _after_all_others(n_tokens, image_shape, (height // grid[0], width // grid[1]))


def _after_all_others(n_tokens, image_shape, patch):
    n_patches = (image_shape[0] // patch[0]) * (image_shape[1] // patch[1])
    return TokenLayout(1, patch, max(n_tokens - n_patches, 0), has_class=False)


def tokens_to_grid(tokens, image_shape, layout):
    """Take the patches out of the tokens and fold them into a map.

    Parameters
    ----------
    tokens : array of shape (batch, n_tokens, D)
        A layer's output, patches row by row; axes as the layout says.
    image_shape : tuple of int
        Height and width of the images.
    layout : TokenLayout
        Where the patches stand.

    Returns
    -------
    array of shape (batch, height // patch height, width // patch width, D)
        The patches' tokens.

    Raises
    ------
    ModelError
        If images or tokens do not fit the patches.
    """
    tokens = tokens.swapaxes(1, layout.axis)
    sides = " x ".join(map(str, layout.patch))
    if any(side % patch for side, patch in zip(image_shape, layout.patch, strict=True)):
        raise ModelError(
            f"images of {image_shape[0]} x {image_shape[1]} are not a multiple of its patches of "
            f"{sides} pixels."
        )
    rows, columns = (n // patch for n, patch in zip(image_shape, layout.patch, strict=True))
    end = layout.before + rows * columns
    if end > tokens.shape[1]:
        raise ModelError(
            f"it gives {tokens.shape[1]} tokens, fewer than the {rows} x {columns} patches of "
            f"{sides} pixels in an image."
        )
    patches = tokens[:, layout.before : end]
    return patches.reshape(len(tokens), rows, columns, tokens.shape[2])


def with_class_tokens(skeleton, layouts):
    """Make the class token of every tensor that holds one a tensor of its own, ``NAME[cls]``.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights.
    layouts : dict of str to TokenLayout
        Where the patches stand among the tokens of a tensor.

    Returns
    -------
    onnx.ModelProto
        The longer graph.
    """
    holders = {name: layout for name, layout in layouts.items() if layout.has_class}
    first = f"{CLASS_TOKEN}/first"
    nodes = [
        helper.make_node("Gather", [name, first], [f"{name}{CLASS_TOKEN}"], axis=layout.axis)
        for name, layout in holders.items()
    ]
    return with_nodes(
        skeleton, [*skeleton.graph.node, *nodes], [numpy_helper.from_array(np.array(0), first)]
    )


def describe_tokens(layers, layouts, size):
    """Say of layers of tokens what grid they become, and add their class tokens.

    Parameters
    ----------
    layers : list of LayerInfo
        What a graph offers.
    layouts : dict of str to TokenLayout
        Where the patches stand among the tokens of a tensor.
    size : int or (int, int)
        Side of the images, or height and width.

    Returns
    -------
    list of LayerInfo
        The layers; a class token follows the tokens that it stands among.
    """
    described = []
    for layer in layers:
        layout = layouts.get(layer.name)
        if layout is None:
            alone = layer.kind == "tokens" and layer.grid == (1, 1)
            described.append(replace(layer, kind="vector") if alone else layer)
            continue
        grid = tuple(n // side for n, side in zip(both_sides(size), layout.patch, strict=True))
        tokens = replace(layer, kind="tokens", grid=grid, stride=max(layout.patch))
        described.append(tokens)
        if layout.has_class:
            name = f"{layer.name}{CLASS_TOKEN}"
            described.append(
                replace(tokens, name=name, kind="class token", grid=(1, 1), stride=None)
            )
    return described
