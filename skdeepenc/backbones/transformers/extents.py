"""Sizes that follow the image, told from sizes that do not.

A graph is read once for an image whose grid of patches has two rare numbers of rows and columns. A
size in it that is their product, and five, is then the number of patches with five other tokens,
whatever the image.
"""

import math
from typing import NamedTuple

#: Rows and columns of the grid that is read, and the number of its images. Eight divides the grid,
#: because deeper stages may halve it three times; the number of images is a prime.
ROWS, COLUMNS, BATCH = 8 * 31, 8 * 53, 1009
_HALVINGS = (1, 2, 4, 8)
_MOST_OTHERS = 31


class Extent(NamedTuple):
    """A size as a rule: the product of what grows, over what a stage halved, and others.

    Attributes
    ----------
    axes : tuple of int
        What it grows with: 0 the rows, 1 the columns, both for the number of patches.
    halved : int
        By what the grid of patches is divided on each axis.
    others : int
        What is added: the tokens that are not patches.
    """

    axes: tuple[int, ...]
    halved: int
    others: int

    def at(self, grid):
        """Return the size on a grid of (rows, columns)."""
        return math.prod(grid[axis] // self.halved for axis in self.axes) + self.others

    @property
    def is_patches(self):
        """Whether it counts the patches of a grid."""
        return len(self.axes) == 2


def read_extent(size):
    """Return the rule of a size that was read at (ROWS, COLUMNS), or None if it follows none."""
    for axes in ((0, 1), (1,), (0,)):
        for halved in _HALVINGS:
            rule = Extent(axes, halved, 0)
            others = size - rule.at((ROWS, COLUMNS))
            if 0 <= others <= _MOST_OTHERS:
                return rule._replace(others=others)
    return None
