"""Find what an exporter has frozen of the image size it saw, and make it follow the image again.

Transformers are exported for one size: token counts stand in reshapes, slices and expansions, and
position embeddings have one vector for each token. The graph is walked once for an image of another
size (see `extents`). Where a constant contradicts what comes in, the constant becomes an input of
the graph, whose value is computed for every grid of patches. One session then serves all sizes.
"""

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from skdeepenc.backbones.graphs.graph import fed_by, fed_by_values, with_nodes
from skdeepenc.backbones.transformers.extents import BATCH, COLUMNS, ROWS, read_extent
from skdeepenc.backbones.transformers.shape_walk import ShapeWalk, data_inputs
from skdeepenc.backbones.transformers.size_feeds import SizeVector
from skdeepenc.backbones.transformers.size_fixes import FIXES
from skdeepenc.backbones.transformers.tokens import TokenLayout
from skdeepenc.exceptions import ModelError
from skdeepenc.images.sizes import both_sides

# Products, of which attention multiplies two tensors that were made of pixels.
_PRODUCTS = {"Einsum", "MatMul", "MatMulInteger", "QLinearMatMul"}


@dataclass
class SizedGraph:
    """A transformer's graph whose frozen sizes are inputs.

    Attributes
    ----------
    skeleton : onnx.ModelProto
        The graph; the inputs are not declared, for a cut may not need them.
    patch : (int, int)
        Height and width of a patch in pixels.
    feeds : dict of str to (SizeVector, PositionTable or Nothing)
        What each of the inputs is, by name.
    problems : dict of str to str
        What holds a tensor to the model's own size, by the tensor's name.
    layouts : dict of str to TokenLayout
        Where the patches stand among the tokens of a tensor, by the tensor's name.
    prefixes : dict of int to (int, bool)
        For each number of tokens that are not patches: how many come before the patches, and
        whether the first of them is a class token.
    takes_batches : bool
        Whether it takes several images at once.
    """

    skeleton: onnx.ModelProto
    patch: tuple[int, int]
    feeds: dict[str, Any] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    layouts: dict[str, TokenLayout] = field(default_factory=dict)
    prefixes: dict[int, tuple[int, bool]] = field(default_factory=dict)
    takes_batches: bool = True


def follow_image_size(skeleton, size):
    """Make everything that an exporter froze of the image size follow the image.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights.
    size : int or (int, int)
        Side of the images that it was made for, or height and width.

    Returns
    -------
    SizedGraph or None
        The graph and its new inputs; None if it makes no tokens of patches.
    """
    if not _mixes_tokens(skeleton):
        return None
    size = both_sides(size)
    own, batch = _own_walk(skeleton, size)
    patch = _patch_size(skeleton, own, size)
    if patch is None:
        return None
    grid = size[0] // patch[0], size[1] // patch[1]
    follower = _Follower(skeleton, own, grid, patch, batch)
    for node in skeleton.graph.node:
        follower.visit(node)
    follower.sized.skeleton = with_nodes(skeleton, follower.nodes)
    return follower.sized


def frozen_size(skeleton, size):
    """Return the size of images that the position embeddings of a graph were learned for.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights, whose input declares no size.
    size : int or (int, int)
        Side of the images to try, or height and width.

    Returns
    -------
    (int, int) or None
        Height and width; None if nothing in the graph contradicts the size that was tried.
    """
    if not _mixes_tokens(skeleton):
        return None
    size = both_sides(size)
    walk = ShapeWalk(skeleton, (1, 3, *size)).run(skeleton.graph.node)
    patch = _patch_size(skeleton, walk, size)
    if patch is None:
        return _size_of_reshape(skeleton, walk, size)
    return _size_of_table(skeleton, walk, size, patch)


def _size_of_table(skeleton, walk, size, patch):
    """Return the size that the first table of positions is for, if it is another."""
    moving = fed_by(skeleton, skeleton.graph.input[0].name)
    n_patches = math.prod(n // side for n, side in zip(size, patch, strict=True))
    for node in skeleton.graph.node:
        tokens = [[*(walk.shape(name) or ())] for name in node.input if name in moving]
        learned = [[*(walk.shape(name) or ())] for name in node.input if name not in moving]
        if node.op_type != "Add" or len(tokens) != 1 or min(map(len, tokens + learned)) < 2:
            continue
        n_tokens, n_learned = tokens[0][-2], learned[0][-2]
        if n_learned not in (1, n_tokens):
            return _square(n_learned + n_patches - n_tokens, patch)
    return None


def _size_of_reshape(skeleton, walk, size):
    """Return the size whose grid of patches the first contradicted reshape has frozen."""
    for node in skeleton.graph.node:
        source = walk.shape(node.input[0]) if node.op_type == "Reshape" else None
        target = walk.known.get(node.input[1]) if source else None
        if source is None or target is None or len(source) != 4:
            continue
        if source[2] * source[3] in (walk.shape(node.output[0]) or ()):
            continue
        sizes = [n for n in target.tolist() if n > 1]
        if source[1] in sizes:
            sizes.remove(source[1])
        if len(sizes) == 1:
            return _square(sizes[0], (size[0] // source[2], size[1] // source[3]))
    return None


def _square(n_patches, patch):
    """Return the size of a square image of so many patches, or None if there is none."""
    side = math.isqrt(max(n_patches, 0))
    return (side * patch[0], side * patch[1]) if side**2 == n_patches > 0 else None


def _mixes_tokens(skeleton):
    """Tell whether a graph multiplies what it made of pixels by the like, as attention does."""
    moving = fed_by(skeleton, skeleton.graph.input[0].name)
    return any(
        "Attention" in node.op_type
        or (node.op_type in _PRODUCTS and moving.issuperset(data_inputs(node)[:2]))
        for node in skeleton.graph.node
    )


def _own_walk(skeleton, size):
    """Walk at the model's own size with many images, or with one if it takes no more."""
    reached = fed_by(skeleton, skeleton.graph.input[0].name)
    outputs = [value.name for value in skeleton.graph.output if value.name in reached]
    for batch in (BATCH, 1):
        walk = ShapeWalk(skeleton, (batch, 3, *size)).run(skeleton.graph.node)
        shapes = [walk.shape(name) for name in outputs]
        if all(shape is not None and batch in shape for shape in shapes):
            break
    return walk, batch


def _patch_size(skeleton, own, size):
    """Return the sides of a patch: what the first tensor of tokens has one row for."""
    moving = fed_by(skeleton, skeleton.graph.input[0].name)
    for node in skeleton.graph.node:
        source = own.shape(node.input[0]) if node.input and node.input[0] in moving else None
        target = own.shape(node.output[0])
        if source is None or target is None or len(source) < 4 or len(target) != 3:
            continue
        for rows, columns in pairwise(source[1:]):
            fits = min(rows, columns) > 0 and rows * columns in target[1:]
            if fits and size[0] // rows > 1 and size[1] // columns > 1:
                return size[0] // rows, size[1] // columns
    return None


class _Follower:
    """Walks at both sizes at once, and frees each node of what contradicts the other size."""

    def __init__(self, skeleton, own, grid, patch, batch):
        self.own = own
        self.grid = grid
        self.batch = batch
        self.new = ShapeWalk(skeleton, (batch, 3, ROWS * patch[0], COLUMNS * patch[1]))
        self.moving = fed_by(skeleton, skeleton.graph.input[0].name)
        self.valued = fed_by_values(skeleton)
        self.sized = SizedGraph(skeleton, patch, takes_batches=batch > 1)
        self.makers = {name: node for node in skeleton.graph.node for name in node.output}
        self.nodes = []

    def visit(self, node):
        """Free one node, and note how the sizes of its outputs follow the image."""
        fix = FIXES.get(node.op_type)
        if fix is not None and all(self.new.shape(name) for name in data_inputs(node)[:1]):
            try:
                node = fix(self, node) or node
            except (IndexError, TypeError) as error:
                raise ModelError(
                    f"{node.op_type} {node.name!r} has an axis that its inputs lack, or sizes that "
                    "are not a list."
                ) from error
        self.nodes.append(node)
        self.new.visit(node)
        for name in node.output:
            self._note(name)

    def _note(self, name):
        """Note where the patches stand in a tensor of tokens."""
        own, new = self.own.shape(name), self.new.shape(name)
        if own is None or new is None or len(own) != 3 or len(new) != 3:
            return
        grew = [axis for axis in range(3) if own[axis] != new[axis]]
        rule = read_extent(new[grew[0]]) if len(grew) == 1 and grew[0] > 0 else None
        if rule is not None and rule.is_patches:
            before, has_class = self.sized.prefixes.get(rule.others, (rule.others, False))
            sides = tuple(side * rule.halved for side in self.sized.patch)
            self.sized.layouts[name] = TokenLayout(grew[0], sides, before, has_class)

    def feed(self, node, place, value, probe):
        """Return a copy of a node one of whose inputs is fed; `probe` is its array or type here."""
        name = next((key for key, known in self.sized.feeds.items() if known == value), None)
        if name is None:
            name = f"{node.output[0]}/at_size{place}"
            self.sized.feeds[name] = value
        if isinstance(probe, np.ndarray):
            self.new.known[name] = probe
            probe = helper.make_tensor_type_proto(TensorProto.INT64, list(probe.shape))
        self.new.types[name] = probe
        return with_input(node, place, name)

    def feed_sizes(self, node, place, sizes, own):
        """Feed sizes that were found here; `own` are those at the model's own size."""
        entries = [self._entry(size, usual) for size, usual in zip(sizes, own, strict=True)]
        if None in entries or entries.count(-1) > 1:
            return self.refuse(node, "sizes that follow the image in no way that is known")
        return self.feed(node, place, SizeVector(tuple(entries)), np.array(sizes, dtype=np.int64))

    def _entry(self, size, usual):
        """Return the whole number or the rule that a size stands for; -1 for any of images."""
        if self.batch > 1 and size and size % self.batch == 0:
            return -1
        return int(size) if size == usual else read_extent(size)

    def refuse(self, node, reason):
        """Note why a tensor cannot be had at other sizes."""
        self.sized.problems[node.output[0]] = reason

    def suppose(self, node, place, probe):
        """Return a copy of a node as if one of its constants followed the image; it does not."""
        copy = with_input(node, place, f"{node.output[0]}/frozen{place}")
        self.new.types[copy.input[place]] = probe
        return copy


def with_input(node, place, name):
    """Copy a node with another input."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.input[place] = name
    return copy
