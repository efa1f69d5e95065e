"""Maps as descriptors, and what to do where there are none.

onnxruntime's products and maxima over no positions are garbage, or an error. So whatever works on
positions stands in a part of the graph that is left out where there are none.
"""

import numpy as np

__all__ = ["descriptors_of", "if_any"]


def descriptors_of(g, maps):
    """Return the descriptors (N, P, D) of maps (N, H, W, D) of one or several scales."""
    return g.concat((each.reshape(each.side(0), positions(each), each.side(3)) for each in maps), 1)


def positions(maps):
    """Return the number of positions of a map, of shape (1,)."""
    return maps.side(1) * maps.side(2)


def if_any(g, descriptors, write, *sides):
    """Return what `write` makes of descriptors (N, P, D), or zeros (N, *sides) if P or N is 0.

    Parameters
    ----------
    g : GraphWriter
        The graph.
    descriptors : Tensor of shape (N, P, ...)
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
    size = g.sides(descriptors.side(0), *sides)
    zero = np.zeros(1, np.float32)

    def nothing():
        return g.Expand(zero, size)

    return g.choose(descriptors.side(0) * descriptors.side(1) > 0, write, nothing)
