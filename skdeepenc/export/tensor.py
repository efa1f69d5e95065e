"""A value of a graph, which can be added, multiplied and compared as an array can.

Arithmetic on it adds nodes: it knows its writer and its name, and nothing of what it will hold.
"""

import numpy as np

__all__ = ["Tensor"]


class Tensor:
    """A value of a graph that is being written; arithmetic on it adds nodes.

    Python's floats are float32 there and whole numbers int64, so ``x * 2.0`` wants floats in `x`,
    and ``x.side(0) * 2`` whole numbers.
    """

    __array_ufunc__ = None  # so that numpy leaves ``array * tensor`` to us

    def __init__(self, writer, name):
        self.writer, self.name = writer, name

    def __repr__(self):
        return f"Tensor({self.name!r})"

    def __add__(self, other):
        return self.writer.Add(self, other)

    def __radd__(self, other):
        return self.writer.Add(other, self)

    def __sub__(self, other):
        return self.writer.Sub(self, other)

    def __rsub__(self, other):
        return self.writer.Sub(other, self)

    def __mul__(self, other):
        return self.writer.Mul(self, other)

    def __rmul__(self, other):
        return self.writer.Mul(other, self)

    def __truediv__(self, other):
        return self.writer.Div(self, other)

    def __rtruediv__(self, other):
        return self.writer.Div(other, self)

    def __floordiv__(self, other):
        """Divide whole numbers that are not negative."""
        return self.writer.Div(self, other)

    def __matmul__(self, other):
        return self.writer.MatMul(self, other)

    def __rmatmul__(self, other):
        return self.writer.MatMul(other, self)

    def __neg__(self):
        return self.writer.Neg(self)

    def __gt__(self, other):
        return self.writer.Greater(self, other)

    def __ge__(self, other):
        return self.writer.GreaterOrEqual(self, other)

    def __lt__(self, other):
        return self.writer.Less(self, other)

    def side(self, axis):
        """Return the length of an axis, as a `Tensor` of shape (1,)."""
        if axis < 0:
            return self.writer.Shape(self, start=axis, **({} if axis == -1 else {"end": axis + 1}))
        return self.writer.Shape(self, start=axis, end=axis + 1)

    def reshape(self, *sides):
        """Return the value in another shape: numbers (-1 for the rest), or `Tensor` of (1,)."""
        return self.writer.Reshape(self, self.writer.sides(*sides), allowzero=1)

    def transpose(self, *axes):
        """Return the value with its axes in another order."""
        return self.writer.Transpose(self, perm=axes)

    def sum(self, axis, keepdims=False):
        """Sum along an axis."""
        return self.writer.ReduceSum(self, np.array([axis]), keepdims=int(keepdims))

    def mean(self, axis, keepdims=False):
        """Average along an axis."""
        return self.writer.ReduceMean(self, np.array([axis]), keepdims=int(keepdims))

    def max(self, axis, keepdims=False):
        """Take the maximum along an axis."""
        return self.writer.ReduceMax(self, np.array([axis]), keepdims=int(keepdims))

    def cut(self, start, stop, axis):
        """Return a slice of an axis, its ends numbers or `Tensor` of (1,)."""
        ends = (self.writer.sides(end) for end in (start, stop))
        return self.writer.Slice(self, *ends, np.array([axis]))
