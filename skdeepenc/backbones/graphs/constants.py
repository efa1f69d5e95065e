"""Find what a graph holds, wherever it holds it: initializers, `Constant` nodes, branches.

Exporters write the same weight as an initializer, as a node without inputs, or inside the branch
that reads it. Surgery wants to look in one place and to copy nothing large: here all of it becomes
initializers, in the copy of a graph that is made anyway.
"""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from onnx import GraphProto, NodeProto, TensorProto, helper

_LISTS = {
    "value_float": TensorProto.FLOAT,
    "value_floats": TensorProto.FLOAT,
    "value_int": TensorProto.INT64,
    "value_ints": TensorProto.INT64,
    "value_string": TensorProto.STRING,
    "value_strings": TensorProto.STRING,
}


def is_constant(node):
    """Tell whether a node only holds a value."""
    return node.op_type == "Constant" and node.domain in ("", "ai.onnx")


def held_tensors(graph):
    """Yield every weight of a graph and of its branches as (name, tensor), without a copy.

    Parameters
    ----------
    graph : onnx.GraphProto
        A graph, weights and all.

    Yields
    ------
    tuple of (str, onnx.TensorProto)
        The tensor's name, which the tensor of a `Constant` node seldom bears itself.
    """
    for tensor in graph.initializer:
        yield tensor.name, tensor
    for node in graph.node:
        if is_constant(node):
            tensor = _dense_value(node)
            if tensor is not None:
                yield node.output[0], tensor
        for subgraph in subgraphs(node):
            yield from held_tensors(subgraph)


def _dense_value(node):
    """Return the tensor that a `Constant` node holds; None if it is sparse."""
    for entry in node.attribute:
        if entry.name == "value":
            return entry.t
        if entry.name in _LISTS:
            return _tensor_of(entry)
    return None


def _tensor_of(entry):
    """Make a tensor of an attribute that lists plain numbers or words."""
    value = helper.get_attribute_value(entry)
    data_type = _LISTS[entry.name]
    if entry.name.endswith("s"):
        return helper.make_tensor("", data_type, [len(value)], value)
    return helper.make_tensor("", data_type, [], [value])


def subgraphs(node):
    """Yield the graphs inside a node: the branches of an `If`, the body of a `Loop`."""
    for entry in node.attribute:
        if entry.HasField("g"):
            yield entry.g
        yield from entry.graphs


def lift_constants(target, graph, shorten):
    """Copy a graph's nodes into another, and all that the graph holds into its initializers.

    What a branch holds is lifted as well, unless its name means something else elsewhere.

    Parameters
    ----------
    target : onnx.GraphProto
        The graph to fill.
    graph : onnx.GraphProto
        The graph to copy.
    shorten : callable
        Takes a name and a tensor, and returns the initializer to keep: a copy, or less.
    """
    once = {name for name, count in Counter(_defined(graph)).items() if count == 1}
    target.initializer.extend(shorten(tensor.name, tensor) for tensor in graph.initializer)
    target.sparse_initializer.extend(graph.sparse_initializer)
    target.node.extend(_without_constants(graph.node, _Lift(target, shorten, once)))


def _defined(graph):
    """Yield each name that a graph or one of its branches gives to a tensor."""
    yield from (value.name for value in graph.input)
    yield from (tensor.name for tensor in graph.initializer)
    for node in graph.node:
        yield from node.output
        for subgraph in subgraphs(node):
            yield from _defined(subgraph)


class _Lift(NamedTuple):
    """Where constants go, how much of them, and the names that may be lifted."""

    target: GraphProto
    shorten: Callable[[str, TensorProto], TensorProto]
    names: set[str]

    def lift(self, node):
        """Put what a `Constant` node holds among the initializers; tell whether it could be."""
        name = node.output[0]
        if name not in self.names:
            return False
        tensor = _dense_value(node)
        if tensor is not None:
            self.target.initializer.append(self.shorten(name, tensor))
        else:
            (sparse,) = (entry.sparse_tensor for entry in node.attribute)
            self.target.sparse_initializer.append(sparse)
            self.target.sparse_initializer[-1].values.name = name
        return True

    def lift_weight(self, tensor):
        """Put a branch's own initializer among those of the graph; tell whether it could be."""
        if tensor.name not in self.names:
            return False
        self.target.initializer.append(self.shorten(tensor.name, tensor))
        return True

    def within(self, branch):
        """Return what may be lifted out of a branch: what it returns must be made inside it."""
        returned = {value.name for value in branch.output}
        return self._replace(names=self.names - returned)


def _without_constants(nodes, rule):
    """Yield nodes other than the `Constant` ones that could be lifted, of branches too."""
    for node in nodes:
        if not (is_constant(node) and rule.lift(node)):
            yield _without_inner_constants(node, rule) if any(subgraphs(node)) else node


def _without_inner_constants(node, rule):
    copy = NodeProto(op_type=node.op_type, domain=node.domain, name=node.name)
    copy.input.extend(node.input)
    copy.output.extend(node.output)
    for entry in node.attribute:
        attribute = copy.attribute.add(name=entry.name, type=entry.type)
        if entry.HasField("g"):
            _copy_branch(attribute.g, entry.g, rule)
        elif entry.graphs:
            for subgraph in entry.graphs:
                _copy_branch(attribute.graphs.add(), subgraph, rule)
        else:
            attribute.CopyFrom(entry)
    return copy


def _copy_branch(target, branch, rule):
    rule = rule.within(branch)
    target.name = branch.name
    for field in ("input", "output", "sparse_initializer", "value_info"):
        getattr(target, field).extend(getattr(branch, field))
    target.initializer.extend(t for t in branch.initializer if not rule.lift_weight(t))
    target.node.extend(_without_constants(branch.node, rule))


def emptied(name, tensor):
    """Return of a large weight only its name, type and sizes."""
    return TensorProto(name=name, data_type=tensor.data_type, dims=tensor.dims)


def named(name, tensor):
    """Return a copy of a tensor under a name of its own."""
    copy = TensorProto()
    copy.CopyFrom(tensor)
    copy.name = name
    return copy
