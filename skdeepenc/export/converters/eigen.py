"""Leading eigenvectors, which ONNX has no operator for, by products of matrices.

A small symmetric matrix is diagonalised by Jacobi's rotations, half as many at once as it has rows:
disjoint pairs of rows do not disturb each other, and a round table brings all pairs together. A
large one is seen through a block of vectors: Chebyshev polynomials of the matrix blow up what lies
above the block's smallest eigenvalue, and within the block Rayleigh and Ritz leave a small matrix.

Brent and Luk, "The solution of singular-value and symmetric eigenvalue problems on multiprocessor
arrays", SIAM 1985; Zhou, Saad, Tiago and Chelikowsky, "Self-consistent-field calculations using
Chebyshev-filtered subspace iteration", Journal of Computational Physics 2006.
"""

import numpy as np

from skdeepenc.export.converters.normalize import or_one

__all__ = ["leading_vectors", "symmetric_eigen"]

_ON = np.array(True)
# 48 rows are diagonal to 1e-4 of the largest value after six; within a block that was diagonal
# before it was filtered, fewer do.
_SWEEPS, _FEW_SWEEPS = 6, 3
# A polynomial of a higher degree leaves nothing but the very first vectors in float32.
_FILTERINGS, _DEGREE = 10, 7
_ROOT_TURNS, _POLISHINGS = 18, 2
_LEAST_BOUND = 0.02  # similarities are positive: their eigenvalues lie above zero, nearly


def symmetric_eigen(g, matrices, size, sweeps):
    """Return eigenvalues (N, m), largest first, and eigenvectors of matrices (N, m, m), m even."""
    diagonal = np.eye(size, dtype=np.float32)
    partners = np.kron(np.eye(size // 2), [[0, 1], [1, 0]]).astype(np.float32)
    seats, pairs = _moved_on(size), np.repeat(np.arange(size // 2), 2)
    signs = np.tile(np.array([1, -1], dtype=np.float32), size // 2)

    def rotate(matrices, vectors):
        values, others = (
            (matrices * which).sum(2).reshape(-1, size // 2, 2) for which in (diagonal, partners)
        )
        cosines, sines = _angles(g, values, g.Gather(others, np.array(0), axis=2))
        cosines, sines = (g.Gather(each, pairs, axis=1) for each in (cosines, sines))
        turns = g.Unsqueeze(cosines, np.array([2])) * diagonal
        turns = (turns + g.Unsqueeze(sines * signs, np.array([2])) * partners) @ seats
        return _ON, [turns.transpose(0, 2, 1) @ matrices @ turns, vectors @ turns]

    start = g.Expand(diagonal, g.Shape(matrices))
    matrices, vectors = g.repeat(sweeps * (size - 1), [matrices, start], rotate)
    values, order = g.TopK((matrices * diagonal).sum(2), np.array([size]), axis=1, n_outputs=2)
    chosen = g.OneHot(order, np.array(size), np.array([0, 1], dtype=np.float32), axis=1)
    return values, vectors @ chosen


def _angles(g, values, others):
    """Return cosines and sines (N, m / 2) that zero the entry beside each pair on the diagonal."""
    first, second = (g.Gather(values, np.array(place), axis=2) for place in (0, 1))
    ratios = (second - first) / (g.Where(g.Equal(others, 0.0), 1.0, others) * 2.0)
    tangents = 1.0 / (g.Abs(ratios) + g.Sqrt(ratios * ratios + 1.0))
    tangents = g.Where(ratios < 0.0, -tangents, tangents)
    tangents = g.Where(g.Equal(others, 0.0), 0.0, tangents)
    cosines = 1.0 / g.Sqrt(tangents * tangents + 1.0)
    return cosines, tangents * cosines


def _moved_on(size):
    """Return a permutation: all but the first move on by a seat, around a table of pairs."""
    seats = [*range(2, size, 2), *range(size - 1, 0, -2)]
    moved = np.eye(size, dtype=np.float32)
    moved[seats] = np.eye(size, dtype=np.float32)[np.roll(seats, -1)]
    return moved


def leading_vectors(g, multiply, start, size):
    """Return the eigenvectors (N, n, m) that a matrix leads with, from a block near them.

    Parameters
    ----------
    g : GraphWriter
        The graph.
    multiply : callable
        Returns the product of the matrix, of eigenvalues from 0 to 1, and vectors (N, n, m).
    start : Tensor of shape (N, n, m)
        Vectors to start from.
    size : int
        m, which is even.

    Returns
    -------
    Tensor of shape (N, n, m)
        Orthonormal vectors, leading first; zeros beyond the rank of the block.
    """

    def filtered(block):
        vectors, products, values = _ritz(g, multiply, block, size, _FEW_SWEEPS)
        half = g.Max(values.cut(-1, size, axis=1), _LEAST_BOUND).reshape(-1, 1, 1) * 0.5
        before, now = vectors, (products - half * vectors) / half
        for _ in range(_DEGREE - 1):
            after = (multiply(now) - half * now) * (2.0 / half) - before
            largest = or_one(g, g.ReduceMax(g.Abs(after), np.array([1, 2])))
            before, now = now / largest, after / largest
        return _ON, [now]

    (block,) = g.repeat(_FILTERINGS, [start], filtered)
    return _ritz(g, multiply, block, size, _SWEEPS)[0]


def _ritz(g, multiply, block, size, sweeps):
    """Return the eigenvectors in the space of a block, their products, and the eigenvalues."""
    basis = _orthonormal(g, block, size)
    products = multiply(basis)
    within = basis.transpose(0, 2, 1) @ products
    values, rotation = symmetric_eigen(g, within, size, sweeps)
    return basis @ rotation, products @ rotation, values


def _orthonormal(g, block, size):
    """Span the same space, by the inverse root of the vectors' products (Newton and Schulz)."""
    block = block / or_one(g, g.Sqrt((block * block).sum(1, keepdims=True)))
    products = block.transpose(0, 2, 1) @ block
    bound = or_one(g, g.ReduceMax(g.Abs(products).sum(2, keepdims=True), np.array([1])))
    identity = np.eye(size, dtype=np.float32)
    root, inverse = products / bound, identity
    for _ in range(_ROOT_TURNS):
        correction = identity * 1.5 - (inverse @ root) * 0.5
        root, inverse = root @ correction, correction @ inverse
    basis = block @ inverse / g.Sqrt(bound)
    for _ in range(_POLISHINGS):
        basis = basis * 1.5 - basis @ (basis.transpose(0, 2, 1) @ basis) * 0.5
    return basis
