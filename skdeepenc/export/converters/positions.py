"""Maps as descriptors, and what to do where there are none.

onnxruntime's products and maxima over no positions are garbage, or an error. So whatever works on
positions stands in a part of the graph that is left out where there are none.
"""

import numpy as np

__all__ = ["descriptors_of", "highest", "if_any", "mean"]


def descriptors_of(g, maps):
    """Return the descriptors (N, P, D) of maps (N, H, W, D) of one or several scales."""
    return g.concat((each.reshape(each.side(0), positions(each), each.side(3)) for each in maps), 1)


def positions(maps):
    """Return the number of positions of a map, of shape (1,)."""
    return maps.side(1) * maps.side(2)


def highest(maps):
    """Return the maxima (N, D) of maps (N, H, W, D).

    Row by row: onnxruntime reduces the first axes of an array, which those of one image are, in
    four times as long as axes within.
    """
    return maps.max(2).max(1)


def mean(maps):
    """Return the means (N, D) of maps (N, H, W, D), row by row too."""
    return maps.mean(2).mean(1)


def if_any(g, maps, write, *sides):
    """Return what `write` makes of maps or descriptors, or zeros (N, *sides) if there are none.

    Parameters
    ----------
    g : GraphWriter
        The graph.
    maps : Tensor of shape (N, ...)
        What may be empty.
    write : callable
        Writes what is made of them, a `Tensor` of shape (N, *sides).
    *sides : int
        Its shape without the first side.

    Returns
    -------
    Tensor of shape (N, *sides)
        The result.
    """
    size = g.sides(maps.side(0), *sides)
    zero = np.zeros(1, np.float32)

    def nothing():
        return g.Expand(zero, size)

    return g.choose(g.Size(maps) > 0, write, nothing)
