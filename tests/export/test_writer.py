"""Graphs are written as numpy is, and run as numpy would."""

import numpy as np
import onnx
import pytest
from numpy.testing import assert_array_equal

from skdeepenc.backbones.running.session import run_apart
from skdeepenc.exceptions import ExportError
from skdeepenc.export.writer import GraphWriter


def run(write, x, shape=("N", "D")):
    """Return what the graph that `write` makes of one input computes."""
    g = GraphWriter()
    g.output("y", write(g, g.input("x", np.float32, shape)), [f"y{i}" for i in range(x.ndim)])
    model = g.model()
    onnx.checker.check_model(model, full_check=True)
    return run_apart(model.SerializeToString(), x)[0]


X = np.array([[1.0, -2.0], [3.0, 4.0]], dtype=np.float32)


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (lambda g, x: (x - 1.0) / np.array([2.0, 4.0]), (X - 1) / [2, 4]),
        (lambda g, x: 3.0 * -x + x * x, 3 * -X + X * X),
        (lambda g, x: np.eye(2) @ x @ np.ones((2, 2)), X @ np.ones((2, 2))),
        (lambda g, x: g.Where(x > 0.0, x, 0.0), np.maximum(X, 0)),
        (lambda g, x: x.max(axis=1, keepdims=True) - x, X.max(1, keepdims=True) - X),
        (lambda g, x: x.reshape(x.side(-1), x.side(0)).transpose(1, 0), X.T),
        (lambda g, x: x.cut(0, x.side(0) - 1, axis=0), X[:-1]),
        (lambda g, x: g.concat([x.mean(0, True), x.sum(0, True)], 0), [X.mean(0), X.sum(0)]),
    ],
)
def test_arithmetic_is_that_of_numpy(write, expected):
    assert_array_equal(run(write, X), np.asarray(expected, np.float32))


def test_only_the_part_that_is_chosen_runs():
    def absolute_of_first(g, x):
        positive = x.cut(0, 1, axis=0).max(axis=1) > 0.0
        return g.choose(positive, lambda: x, lambda: -x)

    assert_array_equal(run(absolute_of_first, X), X)
    assert_array_equal(run(absolute_of_first, -X[:, :1]), X[:, :1])


def test_turns_are_stacked():
    def rows_times_their_number(g, x):
        def turn(i):
            return g.Gather(x, i, axis=0).reshape(2) * g.cast(i, np.float32)

        return g.stack(x.side(0), turn)

    assert_array_equal(run(rows_times_their_number, X), X * [[0], [1]])


def test_turns_hand_values_on_until_they_are_done():
    def doubled_beyond_ten(g, x):
        def turn(value, doubled):
            more = g.ReduceMin(value * 2.0, keepdims=0) < 10.0
            return more, [value * 2.0, doubled + 1.0]

        value, doubled = g.repeat(100, [x, g.as_tensor(np.zeros((1, 1)))], turn)
        return g.concat([value, doubled], axis=1)

    assert_array_equal(run(doubled_beyond_ten, X[:1, :1]), [[16, 4]])


def test_what_no_output_needs_is_left_out():
    g = GraphWriter()
    x = g.input("x", np.float32, ["N", 2])
    g.choose(x.max(0).max(0) > 0.0, lambda: x * np.full(2, 3.0), lambda: -x)
    chosen = g.choose(x.sum(0).sum(0) > 0.0, lambda: x * np.full(2, 5.0), lambda: -x)
    g.output("y", chosen, ["N", 2])
    graph = g.model().graph
    assert [node.op_type for node in graph.node].count("If") == 1
    weights = [onnx.numpy_helper.to_array(tensor).tolist() for tensor in graph.initializer]
    assert [5.0, 5.0] in weights
    assert [3.0, 3.0] not in weights


def test_equal_constants_are_stored_once_and_names_say_the_place():
    g = GraphWriter()
    x = g.input("x", np.float32, ["N", 2])
    with g.scope("somewhere"):
        y = (x - np.ones(2)) * np.ones(2, np.float32) + 1.0
    assert y.name == "somewhere/Add"
    g.output("y", y, ["N", 2])
    assert len(g.model().graph.initializer) == 2  # the row of ones, and the number one


def test_what_no_graph_has_is_refused():
    g = GraphWriter()
    g.input("x", np.float32, ["N"])
    with pytest.raises(ExportError, match="rename the layer"):
        g.input("x", np.float32, ["N"])
    with pytest.raises(AttributeError, match="'Softmaxx' is not an operator"):
        g.Softmaxx(1.0)
    with pytest.raises(ExportError, match="too large for float32"):
        g.constant(1e300)
    assert g.constant(-np.inf).name  # infinity is what was meant
