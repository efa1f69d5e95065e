"""Eigenvectors that a graph computes by products of matrices are those of LAPACK."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skdeepenc.backbones.running.session import run_apart
from skdeepenc.export.converters.eigen import leading_vectors, symmetric_eigen
from skdeepenc.export.writer import GraphWriter

SIZE = 8


def run(write, x):
    """Return the outputs of a graph that `write` makes of such an input."""
    g = GraphWriter()
    for n, output in enumerate(write(g, g.input("x", np.float32, x.shape))):
        g.output(f"y{n}", output, ["N", "n", "m"][: 2 if n else 3])
    return run_apart(g.model().SerializeToString(), x)


def symmetric(values, seed=0):
    """Return a matrix of these eigenvalues, its vectors random."""
    rng = np.random.default_rng(seed)
    vectors, _ = np.linalg.qr(rng.normal(size=(len(values), len(values))))
    return ((vectors * values) @ vectors.T).astype(np.float32)


@pytest.mark.parametrize(
    "values",
    [
        np.linspace(-3, 4, SIZE),
        [5, 5, 5, 1, 1, 0, 0, -2],  # several alike
        [1e-3, 1, 0, 0, 0, 0, 0, 0],
        np.zeros(SIZE),
    ],
    ids=["apart", "alike", "of low rank", "zero"],
)
def test_rotations_find_all_eigenvalues_and_their_vectors(values):
    matrices = np.stack([symmetric(values, seed) for seed in range(3)])
    vectors, found = run(lambda g, x: symmetric_eigen(g, x, SIZE, sweeps=6)[::-1], matrices)
    assert_allclose(found, [np.sort(values)[::-1]] * 3, atol=1e-5)
    assert_allclose(vectors.transpose(0, 2, 1) @ vectors, [np.eye(SIZE)] * 3, atol=1e-5)
    assert_allclose(matrices @ vectors, vectors * found[:, None], atol=1e-5)


def test_a_diagonal_matrix_is_only_sorted():
    matrix = np.diag(np.arange(SIZE, dtype=np.float32))[None]
    vectors, found = run(lambda g, x: symmetric_eigen(g, x, SIZE, sweeps=1)[::-1], matrix)
    assert_allclose(found, [np.arange(SIZE)[::-1]])
    assert_allclose(np.abs(vectors), np.eye(SIZE)[None, :, ::-1])


def test_a_block_turns_into_the_vectors_that_a_matrix_leads_with():
    values = np.concatenate([np.linspace(1, 0.5, SIZE), np.linspace(0.2, 0, 22)])
    matrix = symmetric(values)[None]
    start = np.random.default_rng(1).normal(size=(1, 30, SIZE)).astype(np.float32)
    (found,) = run(lambda g, x: [leading_vectors(g, lambda v: matrix @ v, x, SIZE)], start)
    _, expected = np.linalg.eigh(matrix[0].astype(np.float64))
    cosines = np.sum(found[0] * expected[:, : -SIZE - 1 : -1], axis=0)
    assert_allclose(np.abs(cosines), 1, atol=1e-4)
    assert_allclose(found[0].T @ found[0], np.eye(SIZE), atol=1e-4)
