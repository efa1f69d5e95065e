"""Refuse models that should not be run, wherever they come from.

A model is data until a runtime opens it: everything that can be said against a file is said here,
before native code sees the graph.
"""

import math

import onnx
from google.protobuf.message import Message
from onnx import helper

from skdeepenc.backbones.files.weights import external_tensors, is_external
from skdeepenc.backbones.graphs.bounds import check_functions
from skdeepenc.exceptions import ModelError

# Operators of other domains are loaded from shared libraries, which a model must not bring along.
KNOWN_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"}
# Its attribute names a compiled binary that the runtime would load.
FORBIDDEN_OPERATORS = {"EPContext"}
# onnxruntime promises nothing below; version 7 dates from 2018.
OLDEST_OPSET = 7
LARGEST_ATTRIBUTE = 2**31
# Old slices write "to the end" as the largest number there is.
_OPEN_ENDED = {"starts", "ends"}
_BITS = {
    onnx.TensorProto.FLOAT: 32,
    onnx.TensorProto.FLOAT16: 16,
    onnx.TensorProto.BFLOAT16: 16,
    onnx.TensorProto.DOUBLE: 64,
    onnx.TensorProto.INT64: 64,
    onnx.TensorProto.INT32: 32,
    onnx.TensorProto.INT8: 8,
    onnx.TensorProto.UINT8: 8,
}


def check_model(model, name):
    """Refuse a model that should not be run.

    Parameters
    ----------
    model : onnx.ModelProto
        A parsed model; small faults of exporters are repaired in it.
    name : str
        What to call it.

    Raises
    ------
    ModelError
        If it is damaged, or asks for what is not run: operators of unknown domains, values of
        inner constants from other files.
    """
    _type_outputs(model)
    check_functions(model, name)
    _import_domains(model)
    _check_operators(model, name)
    if any(is_external(tensor) for tensor in _inner_tensors(model)):
        raise ModelError(f"{name} keeps values of inner constants in other files.")
    _check_graph(model, name)


def _type_outputs(model):
    """Give outputs without type or sizes what the checker wants; the runtime infers its own."""
    for value in model.graph.output:
        if not value.HasField("type"):
            value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.shape.SetInParent()


def _import_domains(model):
    """Name the runtime's own operators as imported: its optimisers forget to, and it minds not."""
    imported = {entry.domain for entry in model.opset_import}
    used = {node.domain for node in model.graph.node if node.domain.startswith("com.microsoft")}
    for domain in sorted(used & KNOWN_DOMAINS - imported):
        model.opset_import.add(domain=domain, version=1)


def _check_text(message):
    """Raise a ValueError if a name is not text, which protobuf hands out as bytes."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in [value] if isinstance(value, Message) else value:
                _check_text(inner)
        elif field.type == field.TYPE_STRING:
            texts = [value] if isinstance(value, str | bytes) else value
            if any(isinstance(text, bytes) for text in texts):
                raise ValueError(f"a {field.name} is not text.")


def _check_weight(tensor):
    """Raise a ValueError unless a weight holds as many bytes as its sizes say."""
    n_values = math.prod(tensor.dims)
    if min(tensor.dims, default=0) < 0:
        raise ValueError(f"the weight {tensor.name!r} has a negative size.")
    n_bits = _BITS.get(tensor.data_type)
    if tensor.raw_data and n_bits and 8 * len(tensor.raw_data) != n_bits * n_values:
        raise ValueError(f"the weight {tensor.name!r} does not hold its {n_values} values.")


def _check_graph(model, name):
    """Let onnx's own checker judge the graph, and look at what it leaves out."""
    try:
        _check_text(model)
        for tensor in model.graph.initializer:
            _check_weight(tensor)
        onnx.checker.check_model(_without_files(model))
    except (onnx.checker.ValidationError, ValueError, RuntimeError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"{name} is not a valid ONNX model: {reason}") from error


def _without_files(model):
    """Return a model with inputs in place of the weights that lie in other files.

    The checker would look for them, in the folder that the process happens to be in.
    """
    files = external_tensors(model)
    if not files:
        return model
    names = {tensor.name for tensor in files}
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    kept = [tensor for tensor in model.graph.initializer if tensor.name not in names]
    del copy.graph.initializer[:]
    copy.graph.initializer.extend(kept)
    listed = {value.name for value in model.graph.input}
    copy.graph.input.extend(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        for tensor in files
        if tensor.name not in listed
    )
    return copy


def _check_operators(model, name):
    """Refuse operators that are too old, or that only a shared library could run."""
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx") and entry.version < OLDEST_OPSET:
            raise ModelError(
                f"{name} uses opset {entry.version}; skdeepenc takes {OLDEST_OPSET} and newer. "
                "Convert it with `onnx.version_converter.convert_version`."
            )
    defined = {(function.name, function.domain) for function in model.functions}
    for node in _nodes(model):
        known = node.domain in KNOWN_DOMAINS or (node.op_type, node.domain) in defined
        if not known or node.op_type in FORBIDDEN_OPERATORS:
            raise ModelError(
                f"{name} uses the operator {node.op_type!r} of domain {node.domain!r}, which needs "
                "a library that skdeepenc does not load. Export the model with standard operators."
            )
        _check_attributes(node, name)


def _check_attributes(node, name):
    """Refuse sizes whose squares overflow: native code would divide by what is left of them."""
    for attribute in node.attribute:
        numbers = (attribute.i, *attribute.ints)
        if attribute.name not in _OPEN_ENDED and max(map(abs, numbers)) >= LARGEST_ATTRIBUTE:
            raise ModelError(
                f"{name} is damaged: {attribute.name} of {node.op_type} is {list(numbers)}."
            )


def _nodes(model):
    """Yield every node, in functions and branches too."""
    stack = [model.graph.node, *(function.node for function in model.functions)]
    while stack:
        for node in stack.pop():
            yield node
            stack.extend(
                graph.node for attribute in node.attribute for graph in _subgraphs(attribute)
            )


def _subgraphs(attribute):
    return [attribute.g, *attribute.graphs] if attribute.HasField("g") else attribute.graphs


def _inner_tensors(model):
    """Yield the tensors that are not weights of the main graph."""
    for sparse in model.graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in _nodes(model):
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for graph in _subgraphs(attribute):
                yield from graph.initializer
