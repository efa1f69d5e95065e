"""Put a graph that others wrote, a backbone, into the one that is being written.

Its nodes come under new names. Its weights are stored once, however often the graph is put in: a
pyramid has the nodes of the network for each size, and one set of weights.
"""

from hashlib import blake2b
from typing import Any

import onnx
from onnx import version_converter

from skdeepenc.backbones.graphs.constants import subgraphs
from skdeepenc.exceptions import ExportError
from skdeepenc.export.tensor import Tensor
from skdeepenc.export.writer import OPSET

__all__ = ["Graft"]

# What the converter of versions may look at: shapes and axes, not weights.
_SHORT = 64
_DEFAULT_DOMAINS = ("", "ai.onnx")


class Graft:
    """Puts graphs into another one; equal weights of all of them are one tensor.

    Parameters
    ----------
    g : GraphWriter
        The graph to put them into.
    name : str
        What to call the model that they come from.
    """

    def __init__(self, g, name):
        self._g, self._name = g, name
        self._weights: dict[tuple[Any, ...], Tensor] = {}
        self._converted: dict[Any, onnx.ModelProto] = {}

    def put(self, key, load, pixels, feeds, outputs):
        """Put a graph in.

        Parameters
        ----------
        key : hashable
            Stands for the graph: what was loaded once is not loaded again.
        load : callable
            Returns the graph, an `onnx.ModelProto` with its weights inside.
        pixels : Tensor
            Its first input.
        feeds : dict of str to array
            Its other inputs, which become constants.
        outputs : list of str
            Names of its tensors to return.

        Returns
        -------
        list of Tensor
            Those tensors.

        Raises
        ------
        ExportError
            If its operators cannot be had in the opset that is written.
        """
        if key not in self._converted:
            self._converted[key] = _at_opset(load(), self._name)
        model = self._converted[key]
        graph = model.graph
        names = {graph.input[0].name: pixels.name}
        for name, value in feeds.items():
            names[name] = self._g.constant(value, dtype=value.dtype).name
        names.update((tensor.name, self._weight(tensor).name) for tensor in graph.initializer)
        nodes = [_renamed(node, names, self._g.new_name) for node in graph.node]
        self._g.add_nodes(nodes, _opsets(model))
        return [self._g.tensor(names[name]) for name in outputs]

    def _weight(self, tensor):
        """Return a weight of the graph, stored when it is first met."""
        content = tensor.raw_data or tensor.SerializeToString()
        key = tensor.name, tensor.data_type, tuple(tensor.dims), blake2b(content).digest()
        if key not in self._weights:
            self._weights[key] = self._g.add_weight(tensor.name, tensor)
        return self._weights[key]


def _renamed(node, names, new_name):
    """Return a copy of a node whose tensors have new names, those of its branches too.

    `names` holds the new names of the tensors so far, and takes those that the node makes.
    """
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = [names.get(name, name) for name in node.input]
    for branch in subgraphs(copy):
        _rename_branch(branch, dict(names), new_name)
    for name in node.output:
        names[name] = new_name(name) if name else ""
    copy.output[:] = [names[name] for name in node.output]
    copy.name = copy.output[0]
    return copy


def _rename_branch(graph, names, new_name):
    for value in (*graph.input, *graph.initializer):
        names[value.name] = new_name(value.name)
        value.name = names[value.name]
    nodes = [_renamed(node, names, new_name) for node in graph.node]
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    for value in graph.output:
        value.name = names[value.name]


def _at_opset(model, name):
    """Return a model in the opset that is written, or as it is where its own is newer.

    Newer opsets still have every operator that we write.
    """
    own = _opsets(model).get("", OPSET)
    if own == OPSET:
        return model
    try:
        return _converted(model)
    except Exception as error:  # what the converter raises has types of its own
        if own > OPSET:
            return model
        raise ExportError(
            f"{name} is written in opset {own} of ONNX, which cannot be brought to {OPSET}: "
            f"{str(error).strip().partition(chr(10))[0]}. Export it from its framework in opset "
            f"{OPSET} and fit the extractor on that file."
        ) from error


def _converted(model):
    """Convert a model's graph while its weights, which need not change, wait outside."""
    weights = {}
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) > _SHORT * 8:
            weights[tensor.name] = tensor.raw_data
            tensor.ClearField("raw_data")
    try:
        converted = version_converter.convert_version(model, OPSET)
    finally:
        _put_back(weights, model.graph)
    lost = weights.keys() - _put_back(weights, converted.graph)
    if lost:
        raise ExportError(f"the weights {', '.join(sorted(lost)[:3])} were lost on the way")
    return converted


def _put_back(weights, graph):
    """Give weights to the tensors of their names, and return the names of those that were there."""
    found = [tensor for tensor in graph.initializer if tensor.name in weights]
    for tensor in found:
        tensor.raw_data = weights[tensor.name]
    return {tensor.name for tensor in found}


def _opsets(model):
    return {
        "" if entry.domain in _DEFAULT_DOMAINS else entry.domain: entry.version
        for entry in model.opset_import
    }
