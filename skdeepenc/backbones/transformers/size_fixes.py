"""Free one operator of what an exporter froze into it.

Every function here takes the walk (see `size_walk`) and a node, and returns the node with an input
that is fed in place of a constant, or None where the node follows the image as it is.
"""

import math

import numpy as np
from onnx import TensorProto, helper

from skdeepenc.backbones.graphs.graph import attribute
from skdeepenc.backbones.transformers.extents import read_extent
from skdeepenc.backbones.transformers.reshape_targets import follow_reshape
from skdeepenc.backbones.transformers.shape_walk import data_inputs
from skdeepenc.backbones.transformers.size_feeds import Nothing, PositionTable, SizeVector

_BROADCASTING = ("Add", "Sub", "Mul", "Div", "Where", "Sum", "QLinearAdd", "QLinearMul")
_MASKING = ("Where", "Expand", "Unsqueeze", "Identity", "Cast")
_END = np.iinfo(np.int64).max


def _fix_reshape(walk, node):
    """Let a reshape keep what it split and merged at the model's own size."""
    source, target = walk.own.shape(node.input[0]), walk.own.shape(node.output[0])
    grown = walk.new.shape(node.input[0])
    if source is None or target is None or grown is None:
        return None
    given = _resolved(walk.new.known.get(node.input[1]), grown)
    if source == grown and given in (None, list(target)):
        return None
    sizes = follow_reshape(source, grown, target, walk.grid)
    if sizes is None and given is None:
        return walk.refuse(node, "a reshape to constant sizes")
    if sizes is None or sizes == given:
        return None
    fed = walk.feed_sizes(node, 1, sizes, target)
    if fed is not None:
        kept = [entry for entry in fed.attribute if entry.name != "allowzero"]
        del fed.attribute[:]
        fed.attribute.extend(kept)
    return fed


def _resolved(target, shape):
    """Return the sizes that a reshape's target means, or None if they do not fit."""
    if target is None or target.ndim != 1:
        return None
    sizes = [
        shape[i] if n == 0 and i < len(shape) else int(n) for i, n in enumerate(target.tolist())
    ]
    if sizes.count(-1) == 1:
        others = -math.prod(sizes)
        if others == 0 or math.prod(shape) % others:
            return None
        sizes[sizes.index(-1)] = math.prod(shape) // others
    return sizes if math.prod(sizes) == math.prod(shape) else None


def _fix_expand(walk, node):
    """Let an expansion keep the axes that grew."""
    source, grown = walk.own.shape(node.input[0]), walk.new.shape(node.input[0])
    target = walk.new.known.get(node.input[1])
    if source is None or grown is None or source == grown or target is None:
        return None
    sizes = [int(n) for n in target]
    for back in range(1, min(len(sizes), len(source)) + 1):
        if sizes[-back] == source[-back] != 1:
            sizes[-back] = grown[-back]
    if sizes == target.tolist():
        return None
    sizes = [1 if size == walk.batch else size for size in sizes]  # one: as many as come in
    return walk.feed_sizes(node, 1, sizes, target)


def _fix_slice(walk, node):
    """Let a slice to the end reach the end of what grew."""
    source, grown = walk.own.shape(node.input[0]), walk.new.shape(node.input[0])
    if len(node.input) < 3 or source is None or grown is None or source == grown:
        return None
    starts, ends, axes = (
        walk.new.known.get(node.input[i]) if len(node.input) > i else None for i in (1, 2, 3)
    )
    if starts is None or ends is None:
        return None
    axes = range(len(ends)) if axes is None else axes.tolist()
    freed = [
        _END if source[axis] != grown[axis] and end == source[axis] else int(end)
        for axis, end in zip(axes, ends, strict=True)
    ]
    if freed == ends.tolist():
        return None
    vector = np.array(freed, dtype=np.int64)
    return walk.feed(node, 2, SizeVector(tuple(freed)), vector)


def _fix_split(walk, node):
    """Give what grew to the largest part of a split."""
    source, grown = walk.own.shape(node.input[0]), walk.new.shape(node.input[0])
    parts = walk.new.known.get(node.input[1]) if len(node.input) > 1 else None
    if source is None or grown is None or source == grown or parts is None:
        return None
    axis = attribute(node, "axis", 0)
    if source[axis] == grown[axis]:
        return None
    sizes = [int(n) for n in parts]
    if sum(sizes) == grown[axis]:
        return None
    largest = sizes.index(max(sizes))
    sizes[largest] += grown[axis] - sum(sizes)
    return walk.feed_sizes(node, 1, sizes, parts)


def _fix_concat(walk, node):
    """Note which tokens stand before the patches, and whether the first is a class token."""
    parts = data_inputs(node)
    shapes = [walk.new.shape(name) for name in parts]
    owns = [walk.own.shape(name) for name in parts]
    if None in shapes or None in owns or len({len(shape) for shape in shapes}) != 1:
        return
    axis = attribute(node, "axis", 0)
    grew = [own[axis] != new[axis] for own, new in zip(owns, shapes, strict=True)]
    if len(shapes[0]) != 3 or sum(grew) != 1:
        return
    patches = grew.index(True)
    inner = read_extent(shapes[patches][axis])
    if inner is None or not inner.is_patches:
        return
    before, has_class = walk.sized.prefixes.get(inner.others, (inner.others, False))
    first = [shape[axis] for shape in shapes[:patches]]
    total = inner.others + sum(shape[axis] for shape in shapes) - shapes[patches][axis]
    has_class = first[0] == 1 if first else has_class
    walk.sized.prefixes[total] = (sum(first) + before, has_class)


def _fix_broadcast(walk, node):
    """Have constants resampled that hold a vector for each token."""
    shapes = [walk.new.shape(name) for name in node.input]
    if None in shapes:
        return None
    rank = max(map(len, shapes))
    common = [
        max((shape[axis - rank] for shape in shapes if len(shape) >= rank - axis), default=1)
        for axis in range(rank)
    ]
    for place, (name, shape) in enumerate(zip(node.input, shapes, strict=True)):
        frozen = [
            len(shape) - back
            for back in range(1, len(shape) + 1)
            if shape[-back] not in (1, common[-back])
        ][::-1]
        if frozen:
            if name in walk.moving:
                return _feed_nothing(walk, node, place, _mask_behind(walk, name))
            grown = [common[axis - len(shape)] for axis in frozen]
            node = _feed_table(walk, node, place, shape, frozen, grown) or node
    return node


def _feed_table(walk, node, place, shape, frozen, grown):
    """Feed a table of positions; refuse what is none, and go on as if it were one."""
    sizes = list(shape)
    for axis, size in zip(frozen, grown, strict=True):
        sizes[axis] = size
    element = walk.new.element_type(node.input[place])
    probe = helper.make_tensor_type_proto(element, sizes)
    layout = _table_layout(walk, shape, frozen, grown) if node.op_type in ("Add", "Mul") else None
    if layout is None and node.op_type == "Add" and len(frozen) > 1:
        return _feed_nothing(walk, node, place, node.input[place])
    if layout is None:
        walk.refuse(node, _reason(node, len(frozen)))
        return walk.suppose(node, place, probe)
    rotary = _reason(node, 1) if node.op_type == "Mul" else None
    axis, is_map, grid, halved, before = layout
    table = PositionTable(node.input[place], element, axis, is_map, grid, halved, before, rotary)
    return walk.feed(node, place, table, probe)


def _mask_behind(walk, name):
    """Return the truth values that an added mask is made of, if no pixel decides them, or None."""
    while name in walk.moving and name in walk.makers:
        maker = walk.makers[name]
        if maker.op_type not in _MASKING:
            break
        if maker.op_type == "Where" and walk.new.known.get(maker.input[1], 1) != 0:
            return None
        name = maker.input[0]
    is_mask = walk.new.element_type(name) == TensorProto.BOOL
    return name if is_mask and name not in walk.valued else None


def _feed_nothing(walk, node, place, source):
    """Feed zero in place of a constant for every pair of tokens; what it holds is looked at later.

    Exporters write masks that mask nothing.
    """
    element = walk.new.element_type(node.input[place])
    probe = helper.make_tensor_type_proto(element, [1])
    if source is None or node.op_type != "Add":
        walk.refuse(node, "a constant number of tokens")
        return walk.suppose(node, place, probe)
    return walk.feed(node, place, Nothing(source, element, _reason(node, 2)), probe)


def _table_layout(walk, shape, frozen, grown):
    """Return how a table's axes stand for the grid, or None if they do not."""
    rules = [read_extent(size) for size in grown]
    if None in rules:
        return None
    halved, others = rules[0].halved, rules[0].others
    grid = tuple(n // halved for n in walk.grid)
    sizes = tuple(shape[axis] for axis in frozen)
    is_map = sizes == grid and frozen[-1] == frozen[0] + 1
    if not is_map and not (rules[0].is_patches and sizes == (math.prod(grid) + others,)):
        return None
    before, _ = walk.sized.prefixes.get(others, (others, False))
    return frozen[0], is_map, grid, halved, before


def _reason(node, n_axes):
    if node.op_type == "Mul":
        return "rotary position embeddings that the exporter computed for that size"
    if n_axes > 1:
        return "relative positions, or masks of windows, that the exporter computed for that size"
    return "a constant for each token that is not a position embedding"


def _fix_product(walk, node):
    """Refuse weights that mix tokens."""
    shapes = [walk.new.shape(name) for name in node.input[:2]]
    if None in shapes or min(map(len, shapes)) < 2:
        return
    if shapes[0][-1] != shapes[1][-2]:
        walk.refuse(node, "weights that mix a fixed number of tokens")


FIXES = {
    "Reshape": _fix_reshape,
    "Expand": _fix_expand,
    "Slice": _fix_slice,
    "Split": _fix_split,
    "Concat": _fix_concat,
    "QLinearConcat": _fix_concat,
    "MatMul": _fix_product,
    **dict.fromkeys(_BROADCASTING, _fix_broadcast),
}
