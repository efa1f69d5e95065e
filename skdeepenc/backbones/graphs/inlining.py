"""Lay open what a graph hides: functions of its own, and branches that are always taken.

Newer exporters write a layer as a call of a function that the file defines, older ones a squeeze
as an `If` on a constant. Surgery sees neither; both are written out, in a graph without weights.
"""

import onnx.inliner
from onnx import NodeProto, helper, numpy_helper

from skdeepenc.backbones.graphs.constants import lift_constants, named, subgraphs
from skdeepenc.exceptions import ModelError


def inline_functions(skeleton):
    """Write out the functions that a model defines itself.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights.

    Returns
    -------
    onnx.ModelProto
        The graph in operators of onnx and the runtime alone.

    Raises
    ------
    ModelError
        If a function cannot be written out.
    """
    if not skeleton.functions:
        return skeleton
    try:
        inlined = onnx.inliner.inline_local_functions(skeleton, convert_version=True)
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"A function that the model defines is damaged: {reason}") from error
    flat = onnx.ModelProto()
    flat.CopyFrom(inlined)
    for field in ("node", "initializer", "sparse_initializer"):
        flat.graph.ClearField(field)
    # A function's own constants came into the graph with it.
    lift_constants(flat.graph, inlined.graph, named)
    return flat


def inline_branches(skeleton):
    """Replace every `If` whose condition is constant by the branch that it takes.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights; it is changed.

    Returns
    -------
    onnx.ModelProto
        The graph without them.
    """
    while _inline_once(skeleton.graph):
        pass
    return skeleton


def _inline_once(graph):
    """Write out the constant branches of a graph; tell whether there were any."""
    conditions = {tensor.name: tensor for tensor in graph.initializer}
    if not any(_is_decided(node, conditions) for node in graph.node):
        return False
    nodes: list[NodeProto] = []
    for node in graph.node:
        if _is_decided(node, conditions):
            nodes.extend(_written_out(_taken(node, conditions), node, graph))
        else:
            nodes.append(_copied(node))
    del graph.node[:]
    graph.node.extend(nodes)
    return True


def _is_decided(node, conditions):
    return node.op_type == "If" and node.input[0] in conditions


def _taken(node, conditions):
    """Return the branch of an `If` that its constant condition takes."""
    taken = "then" if numpy_helper.to_array(conditions[node.input[0]]).any() else "else"
    return next(entry.g for entry in node.attribute if entry.name == f"{taken}_branch")


def _copied(node):
    copy = NodeProto()
    copy.CopyFrom(node)
    return copy


def _written_out(branch, node, graph):
    """Return a branch's nodes under names of their own, and what the `If` returned under its."""
    names = {name: f"{node.output[0]}/{name}" for name in _made_in(branch)}
    graph.initializer.extend(named(names[t.name], t) for t in branch.initializer)
    for sparse in branch.sparse_initializer:
        graph.sparse_initializer.append(sparse)
        graph.sparse_initializer[-1].values.name = names[sparse.values.name]
    nodes = [_copied(inner) for inner in branch.node]
    for inner in nodes:
        rename(inner, names)
    for value, output in zip(branch.output, node.output, strict=True):
        if output:
            source = names.get(value.name, value.name)
            nodes.append(helper.make_node("Identity", [source], [output]))
    return nodes


def _made_in(branch):
    """Yield the names that a branch gives to tensors."""
    yield from (tensor.name for tensor in branch.initializer)
    yield from (sparse.values.name for sparse in branch.sparse_initializer)
    for node in branch.node:
        yield from filter(None, node.output)


def rename(node, names):
    """Give tensors other names in a node, and in what its own branches read from outside."""
    node.input[:] = [names.get(name, name) for name in node.input]
    node.output[:] = [names.get(name, name) for name in node.output]
    for subgraph in subgraphs(node):
        hidden = {*_made_in(subgraph), *(value.name for value in subgraph.input)}
        visible = {name: new for name, new in names.items() if name not in hidden}
        for inner in subgraph.node:
            rename(inner, visible)
        for value in subgraph.output:
            value.name = visible.get(value.name, value.name)
