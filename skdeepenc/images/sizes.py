"""A size as people say it: one number for a square, or (height, width)."""

from numbers import Integral

#: Models and their descriptions come from anywhere; one that asks for more asks for all memory.
LARGEST_SIDE = 10_000


def both_sides(size):
    """Return a size as (height, width).

    Parameters
    ----------
    size : int or (int, int)
        Side of a square, or height and width.

    Returns
    -------
    tuple of int
        Height and width.
    """
    height, width = (size, size) if isinstance(size, Integral) else size
    return int(height), int(width)


def one_size(size):
    """Return a size as briefly as it can be said: one number for a square."""
    height, width = both_sides(size)
    return height if height == width else (height, width)


def in_words(size):
    """Return a size as text: "224", or "256 x 128"."""
    return " x ".join(map(str, dict.fromkeys(both_sides(size))))


def round_up(side, multiple):
    """Return the first multiple that is no smaller than `side`; None asks for no multiple."""
    return side if multiple is None else -(-side // multiple) * multiple
