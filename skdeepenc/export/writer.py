"""Write an ONNX graph as if it were numpy.

A graph is nodes, and names that tie them together. Here a value of the graph is a `Tensor`, which
can be added, multiplied and compared as an array can, and every operator of ONNX is a method of the
writer under its own name. So a converter reads as the equations that it follows.
"""

from collections.abc import Callable, Iterable
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from skdeepenc.exceptions import ExportError
from skdeepenc.export.assembly import assembled
from skdeepenc.export.tensor import Tensor

__all__ = ["OPSET", "GraphWriter"]

# What onnxruntime 1.16 and later run.
OPSET = 18


class GraphWriter:
    """Collects the nodes, constants, inputs and outputs of a graph.

    ``g.Softmax(x, axis=-1)`` adds the operator of that name, of ONNX's opset 18, and returns its
    output; attributes are keywords, and what is not a `Tensor` among its inputs becomes a constant.
    ``g.TopK(x, k, n_outputs=2)`` returns a list of both.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.export.writer import GraphWriter
    >>> g = GraphWriter()
    >>> x = g.input("x", np.float32, ["N", 3])
    >>> g.output("y", g.Relu(x - np.ones(3)) * 2.0, ["N", 3])
    >>> [node.op_type for node in g.model().graph.node]
    ['Sub', 'Relu', 'Mul', 'Identity']
    """

    def __init__(self):
        self.inputs, self.outputs = [], []
        self.opsets = {"": OPSET}
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, TensorProto] = {}
        self._constants: dict[tuple[Any, ...], Tensor] = {}
        self._scopes: list[str] = []
        self._taken: set[str] = set()

    def input(self, name, dtype, shape):
        """Declare an input.

        Parameters
        ----------
        name : str
            Its name.
        dtype : dtype
            Its type.
        shape : list of int or str
            Its sides; a name stands for one that is free.

        Returns
        -------
        Tensor
            The input.

        Raises
        ------
        ExportError
            If there is another value of that name.
        """
        self._take(name)
        element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self.inputs.append(helper.make_tensor_value_info(name, element, shape))
        return Tensor(self, name)

    def output(self, name, tensor, shape, dtype=np.float32):
        """Declare an output: a value, the name to give it, its sides and its type."""
        self._take(name)
        self._nodes.append(helper.make_node("Identity", [tensor.name], [name], name=name))
        element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self.outputs.append(helper.make_tensor_value_info(name, element, shape))

    def constant(self, value, dtype=None):
        """Return a constant; equal ones are stored once.

        Parameters
        ----------
        value : array-like
            What it holds.
        dtype : dtype or None, default=None
            Its type; None takes float32 for any floats and int64 for any whole numbers.

        Returns
        -------
        Tensor
            The constant.

        Raises
        ------
        ExportError
            If a number is too large for its type.
        """
        array = np.asarray(_as_type(np.asarray(value), dtype), order="C")
        content = array.reshape(-1).view(np.uint8).data  # not a copy: it may be gigabytes
        key = array.dtype.str, array.shape, blake2b(content).digest()
        if key not in self._constants:
            self._constants[key] = self.add_weight("constant", numpy_helper.from_array(array))
        return self._constants[key]

    def as_tensor(self, value):
        """Return what is a `Tensor` as it is, and anything else as a constant."""
        return value if isinstance(value, Tensor) else self.constant(value)

    def __getattr__(self, operator):
        """Return a function that adds an operator of ONNX."""
        if operator.startswith("_") or not onnx.defs.has(operator, OPSET):
            raise AttributeError(f"{operator!r} is not an operator of ONNX's opset {OPSET}.")

        def add(*inputs, **attributes):
            return self._add(operator, inputs, **attributes)

        return add

    def _add(
        self, operator: str, inputs: Iterable[Any], n_outputs: int | None = None, **attributes: Any
    ) -> Any:
        names = ["" if value is None else self.as_tensor(value).name for value in inputs]
        outputs = [self.new_name(operator) for _ in range(n_outputs or 1)]
        node = helper.make_node(operator, names, outputs, name=outputs[0], **attributes)
        self._nodes.append(node)
        tensors = [Tensor(self, name) for name in outputs]
        return tensors[0] if n_outputs is None else tensors

    def cast(self, tensor, dtype):
        """Return a value in another type."""
        return self.Cast(tensor, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def concat(self, tensors, axis):
        """Put values side by side along an axis."""
        tensors = list(tensors)
        return tensors[0] if len(tensors) == 1 else self.Concat(*tensors, axis=axis)

    def sides(self, *sides):
        """Return a shape, each side given as a number or as a `Tensor` of one whole number."""
        if all(isinstance(side, int) for side in sides):
            return self.constant(np.array(sides, dtype=np.int64))
        one = np.array([1])
        whole = (side if isinstance(side, Tensor) else side * one for side in sides)
        return self.concat(whole, axis=0)

    def choose(self, condition, then, otherwise):
        """Run one of two parts of the graph: only the one that is taken costs time.

        Parameters
        ----------
        condition : Tensor
            One truth value.
        then, otherwise : callable
            Write the part for true and for false, and return its `Tensor`. They may use values from
            outside.

        Returns
        -------
        Tensor
            What the part that was taken returned.
        """
        condition = self.Reshape(condition, np.zeros(0, dtype=np.int64))
        branches = {
            "then_branch": self._subgraph("then", then),
            "else_branch": self._subgraph("else", otherwise),
        }
        return self.If(condition, **branches)

    def stack(self, count: "Tensor", body: Callable[..., Any]) -> Any:
        """Repeat a part of the graph, and stack what it returns along a new first axis.

        Parameters
        ----------
        count : Tensor of shape (1,)
            How many times.
        body : callable
            Writes the part, given the number of the turn (from 0, of shape (1,)), and returns its
            `Tensor`, of the same shape in every turn.

        Returns
        -------
        Tensor
            The results; with a `count` of 0, nothing that can be relied on.
        """
        turn, going = Tensor(self, self.new_name("turn")), Tensor(self, self.new_name("going"))
        arguments = [
            helper.make_tensor_value_info(turn.name, TensorProto.INT64, []),
            helper.make_tensor_value_info(going.name, TensorProto.BOOL, []),
        ]

        def run():
            results = body(self.Unsqueeze(turn, np.array([0])))
            return (going, *results) if isinstance(results, list) else (going, results)

        part = self._subgraph("turn", run, arguments)
        n_outputs = len(part.output) - 1
        stacked = self.Loop(self.Squeeze(count), None, body=part, n_outputs=n_outputs)
        return stacked[0] if n_outputs == 1 else stacked

    def repeat(self, most: int, state: "list[Tensor]", body: Callable[..., Any]) -> Any:
        """Repeat a part of the graph that hands values on, until it says that it is done.

        Parameters
        ----------
        most : int or Tensor of shape (1,)
            How many times at most.
        state : list of Tensor
            What the first turn is given.
        body : callable
            Writes a turn: given such values, it returns whether to go on, one truth value, and the
            list of the values for the next turn, of the same shapes. Values beyond these are
            collected.

        Returns
        -------
        list of Tensor
            What the last turn handed on; then what was collected, stacked along a new first axis.
        """
        given = [Tensor(self, self.new_name("state")) for _ in state]
        arguments = [
            helper.make_tensor_value_info(self.new_name("turn"), TensorProto.INT64, []),
            helper.make_tensor_value_info(self.new_name("going"), TensorProto.BOOL, []),
            *(helper.make_empty_tensor_value_info(value.name) for value in given),
        ]

        def run():
            going, values = body(*given)
            return (self.Squeeze(going), *values)

        part = self._subgraph("turn", run, arguments)
        count = self.Squeeze(most) if isinstance(most, Tensor) else np.array(most)
        n_outputs = len(part.output) - 1
        return self.Loop(count, np.array(True), *state, body=part, n_outputs=n_outputs)

    def _subgraph(self, name, write, arguments=()):
        """Return a graph of what `write` adds; its constants stay outside, where all share them."""
        outside, self._nodes = self._nodes, []
        returned = write()
        tensors = returned if isinstance(returned, tuple) else (returned,)
        # An output must be made inside, even where it is a value from outside.
        results = [self.Identity(tensor) for tensor in tensors]
        inside, self._nodes = self._nodes, outside
        outputs = [helper.make_empty_tensor_value_info(result.name) for result in results]
        return helper.make_graph(inside, self.new_name(name), list(arguments), outputs)

    def tensor(self, name):
        """Return a value of the graph by its name."""
        return Tensor(self, name)

    def add_weight(self, stem, stored):
        """Add a constant that is an `onnx.TensorProto` already, under a name like `stem`."""
        name = self.new_name(stem)
        self._weights[name] = stored
        return Tensor(self, name)

    def add_nodes(self, nodes, opsets=None):
        """Add what was written elsewhere, under names from `new_name`, and the opsets it wants."""
        self._nodes.extend(nodes)
        for domain, version in (opsets or {}).items():
            self.opsets[domain] = max(version, self.opsets.get(domain, 0))

    @contextmanager
    def scope(self, name):
        """Name what is added within after its place, for whoever looks at the graph."""
        self._scopes.append(name)
        try:
            yield
        finally:
            self._scopes.pop()

    def new_name(self, stem):
        """Return a name that no other value has."""
        stem = "/".join([*self._scopes, stem])
        name, number = stem, 0
        while name in self._taken:
            number += 1
            name = f"{stem}_{number}"
        self._taken.add(name)
        return name

    def _take(self, name):
        if name in self._taken:
            raise ExportError(
                f"Two values of the graph would be named {name!r}: rename the layer of that name."
            )
        self._taken.add(name)

    def model(self):
        """Return the `onnx.ModelProto` of what the outputs need."""
        return assembled(self._nodes, self.inputs, self.outputs, self._weights, self.opsets)


def _as_type(array, dtype):
    """Return an array in the type that the graph computes in."""
    if dtype is None:
        kinds = {"f": np.float32, "i": np.int64, "u": np.int64}
        dtype = kinds.get(array.dtype.kind, array.dtype)
    with np.errstate(over="ignore"):
        cast = array.astype(dtype, copy=False)
    if cast is array:
        return array
    if array.dtype.kind == "f" and not np.array_equal(np.isfinite(array), np.isfinite(cast)):
        raise ExportError(
            f"A fitted value, {np.abs(array[np.isfinite(array)]).max():.3g}, is too large for "
            f"{np.dtype(dtype)}, in which graphs compute: scale the activations down and fit again."
        )
    return cast
