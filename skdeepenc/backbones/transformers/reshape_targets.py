"""What a reshape to constant sizes means for an image of another size.

The sizes before and after are lined up in groups of equal products: patches stay patches, heads
stay heads, and a size that grew is given to the size that stands for it.
"""

import math

from skdeepenc.backbones.transformers.extents import BATCH, COLUMNS, ROWS


def follow_reshape(source, grown, target, grid):
    """Return the sizes that a reshape gives for an image of another size.

    Parameters
    ----------
    source, target : tuple of int
        The shapes before and after it at the model's own size.
    grown : tuple of int
        The shape before it at the other size.
    grid : (int, int)
        Rows and columns of the patches at the model's own size.

    Returns
    -------
    list of int or None
        The sizes; None where they cannot be told.
    """
    sizes: list[int] = []
    for before, after in _groups(source, target):
        total = math.prod(grown[axis] for axis in before)
        own = [target[axis] for axis in after]
        found = own if total == math.prod(own) else _share(total, own, grid)
        if found is None:
            return None
        sizes.extend(found)
    return sizes if math.prod(sizes) == math.prod(grown) else None


def _groups(source, target):
    """Yield the axes of both shapes in the smallest runs of equal products."""
    i = j = 0
    while i < len(source) or j < len(target):
        before: list[int] = []
        after: list[int] = []
        while not (before and after) or _product(source, before) != _product(target, after):
            behind = after and _product(source, before) < _product(target, after)
            if i < len(source) and (behind or not before or j == len(target)):
                before.append(i)
                i += 1
            elif j < len(target):
                after.append(j)
                j += 1
            else:
                break
        if i == len(source):  # sizes of one at the end
            after.extend(range(j, len(target)))
            j = len(target)
        yield before, after


def _product(shape, axes):
    return math.prod(shape[axis] for axis in axes)


def _share(total, own, grid):
    """Give a total that grew to the sizes that stand for it."""
    if len(own) == 1:
        return [total]
    for size in (BATCH, 1):
        if total % BATCH == 0 and size in own:
            place = own.index(size)
            rest = _rest(total // BATCH, own[:place] + own[place + 1 :], grid)
            return None if rest is None else [*rest[:place], BATCH, *rest[place:]]
    return _rest(total, own, grid)


def _rest(total, own, grid):
    """Share a total among sizes none of which is the number of images."""
    if total == math.prod(own):
        return own
    for place in range(len(own) - 1):
        if tuple(own[place : place + 2]) == tuple(grid):
            shared = [*own[:place], ROWS, COLUMNS, *own[place + 2 :]]
            if math.prod(shared) == total:
                return shared
    # An axis of one is where something was unsqueezed, and stays so.
    for place, size in sorted(enumerate(own), key=lambda entry: entry[1] == 1):
        others = math.prod(own) // size
        if total % others == 0:
            return [*own[:place], total // others, *own[place + 1 :]]
    return None
