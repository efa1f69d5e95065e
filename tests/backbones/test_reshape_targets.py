"""What reshapes to constant sizes become for a larger image."""

import pytest

from skdeepenc.backbones.transformers.extents import BATCH, COLUMNS, ROWS, Extent, read_extent
from skdeepenc.backbones.transformers.reshape_targets import follow_reshape

PATCHES = ROWS * COLUMNS


@pytest.mark.parametrize(
    ("source", "grown", "target", "expected"),
    [
        # A grid becomes tokens, and tokens a grid again.
        ((1, 8, 4, 4), (1, 8, ROWS, COLUMNS), (1, 8, 16), [1, 8, PATCHES]),
        ((1, 8, 16), (1, 8, PATCHES), (1, 8, 4, 4), [1, 8, ROWS, COLUMNS]),
        # Heads are split off and joined, though as many as there are tokens.
        ((1, 4, 8), (1, PATCHES, 8), (1, 4, 4, 2), [1, PATCHES, 4, 2]),
        ((1, 4, 4, 2), (1, PATCHES, 4, 2), (1, 4, 8), [1, PATCHES, 8]),
        # Images and heads are one axis in between.
        ((1, 2, 5, 3), (BATCH, 2, 9, 3), (2, 5, 3), [2 * BATCH, 9, 3]),
        ((2, 5, 3), (2 * BATCH, 9, 3), (1, 2, 5, 3), [BATCH, 2, 9, 3]),
        # Images and tokens are one axis.
        ((1, 5, 3), (BATCH, 9, 3), (5, 3), [9 * BATCH, 3]),
        ((BATCH * 5, 3), (BATCH * 9, 3), (BATCH, 5, 3), [BATCH, 9, 3]),
        # Windows of seven: more of them, not larger ones.
        ((1, 14, 6), (1, 28, 6), (1, 2, 7, 6), [1, 4, 7, 6]),
        # An axis of one is not a place for what grew.
        ((4,), (COLUMNS,), (1, 4), [1, COLUMNS]),
        ((1, 5, 6, 1), (1, 9, 6, 1), (1, 5, 6), [1, 9, 6]),
    ],
)
def test_what_grew_goes_to_the_size_that_stands_for_it(source, grown, target, expected):
    assert follow_reshape(source, grown, target, (4, 4)) == expected


def test_what_cannot_be_shared_is_unknown():
    assert follow_reshape((1, 15), (1, 16), (1, 3, 5), (4, 4)) is None


@pytest.mark.parametrize(
    ("size", "rule", "at"),
    [
        (PATCHES, Extent((0, 1), 1, 0), 6),
        (PATCHES + 5, Extent((0, 1), 1, 5), 11),
        (PATCHES // 4, Extent((0, 1), 2, 0), 1),
        (ROWS, Extent((0,), 1, 0), 2),
        (COLUMNS, Extent((1,), 1, 0), 3),
        (7, None, None),
    ],
)
def test_rare_sizes_are_rules(size, rule, at):
    assert read_extent(size) == rule
    assert rule is None or rule.at((2, 3)) == at
