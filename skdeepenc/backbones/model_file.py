"""Read an ONNX file that may come from anywhere, and refuse what should not be run.

A model is data until a runtime opens it: everything that can be said against a file is said here,
before native code sees the graph.
"""

import functools
import hashlib
import math
import os
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError, Message
from onnx.external_data_helper import load_external_data_for_tensor

from skdeepenc.backbones.graph import SHORT_CONSTANT
from skdeepenc.exceptions import ModelError

# Operators of other domains are loaded from shared libraries, which a model must not bring along.
KNOWN_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}
# Its attribute names a compiled binary that the runtime would load.
FORBIDDEN_OPERATORS = {"EPContext"}
# onnxruntime promises nothing below; version 7 dates from 2018.
OLDEST_OPSET = 7
LARGEST_ATTRIBUTE = 2**31
# Old slices write "to the end" as the largest number there is.
_OPEN_ENDED = {"starts", "ends"}
_READ_CHUNK = 1 << 22
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


def model_name(source):
    """Return what to call a model, given by path or as bytes, in a message."""
    return "the model given as bytes" if isinstance(source, bytes) else Path(source).name


def read_model(source, *, checked=False):
    """Parse and check a model; weights kept in files beside it are left there.

    Parameters
    ----------
    source : bytes or path-like
        An ONNX file, or its content.
    checked : bool, default=False
        Whether this process has checked it before, which takes longer than reading.

    Returns
    -------
    onnx.ModelProto
        The whole model, its graph checked.

    Raises
    ------
    ModelError
        If it is no ONNX, is damaged, or asks for what is not run: operators of unknown domains,
        weights outside its own folder.
    """
    name = model_name(source)
    try:
        model = onnx.load_model_from_string(_content(source))
    except DecodeError as error:
        raise ModelError(f"{name} is not an ONNX model, or is damaged: {error}") from error
    if not model.graph.node:
        raise ModelError(f"{name} is not an ONNX model: it holds no graph.")
    # Before version 4 weights had to be listed as inputs too; not every exporter did.
    model.ir_version = max(model.ir_version, 4)
    _type_outputs(model)
    if not checked:
        _check_operators(model, name)
        _check_external_data(model, source, name)
        _check_graph(model, source, name)
    _embed_short_weights(model, source)
    return model


def _type_outputs(model):
    """Give outputs that name no type one to satisfy the checker; the runtime infers its own."""
    for value in model.graph.output:
        if not value.HasField("type"):
            value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
            value.type.tensor_type.shape.SetInParent()


def _check_text(message):
    """Raise a ValueError if a name is no text, which protobuf hands out as bytes."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in [value] if isinstance(value, Message) else value:
                _check_text(inner)
        elif field.type == field.TYPE_STRING:
            texts = [value] if isinstance(value, str | bytes) else value
            if any(isinstance(text, bytes) for text in texts):
                raise ValueError(f"a {field.name} is no text.")


def _check_weight(tensor):
    """Raise a ValueError unless a weight holds as many bytes as its sizes say."""
    n_values = math.prod(tensor.dims)
    if min(tensor.dims, default=0) < 0:
        raise ValueError(f"the weight {tensor.name!r} has a negative size.")
    n_bits = _BITS.get(tensor.data_type)
    if tensor.raw_data and n_bits and 8 * len(tensor.raw_data) != n_bits * n_values:
        raise ValueError(f"the weight {tensor.name!r} does not hold its {n_values} values.")


def _embed_short_weights(model, source):
    """Read short weights that lie beside the file: they may be shapes, which surgery looks at."""
    for tensor in model.graph.initializer:
        if _is_external(tensor) and math.prod(tensor.dims) <= SHORT_CONSTANT:
            load_external_data_for_tensor(tensor, os.fspath(Path(source).resolve().parent))
            tensor.data_location = onnx.TensorProto.DEFAULT
            del tensor.external_data[:]


def _check_graph(model, source, name):
    """Let onnx's own checker judge the graph, and look at what it leaves out."""
    try:
        _check_text(model)
        for tensor in model.graph.initializer:
            _check_weight(tensor)
        onnx.checker.check_model(os.fspath(source) if has_external_data(model) else model)
    except (onnx.checker.ValidationError, ValueError, RuntimeError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"{name} is not a valid ONNX model: {reason}") from error


def content_digest(source):
    """Return the SHA-256 of a model's content, weights beside the file included."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    path = Path(source).resolve()
    try:
        status = path.stat()
    except OSError as error:
        raise ModelError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    return _file_digest(path, status.st_size, status.st_mtime_ns)


def has_external_data(model):
    """Tell whether some weights of the model lie in files beside it."""
    return any(_is_external(tensor) for tensor in model.graph.initializer)


@functools.lru_cache(maxsize=64)
def _file_digest(path, size, modified):
    """Hash a file once a process; `size` and `modified` notice that it was replaced."""
    digest = hashlib.sha256()
    _update_from_file(digest, path)
    model = onnx.ModelProto()
    try:
        model = onnx.load_model(path, load_external_data=False)
    except DecodeError:
        return digest.hexdigest()  # whoever opens it will say what is wrong
    for location in sorted(_locations(model)):
        if (path.parent / location).is_file():
            _update_from_file(digest, path.parent / location)
    return digest.hexdigest()


def _update_from_file(digest, path):
    with path.open("rb") as file:
        while chunk := file.read(_READ_CHUNK):
            digest.update(chunk)


def _content(source):
    """Return the bytes of a model, or say why there are none."""
    if isinstance(source, bytes):
        return source
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise ModelError(
            f"{model_name(source)} cannot be read: {error.strerror or error}."
        ) from error


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


def _is_external(tensor):
    return tensor.data_location == onnx.TensorProto.EXTERNAL


def _locations(model):
    """Return the files beside the model that hold weights."""
    return {
        entry.value
        for tensor in model.graph.initializer
        if _is_external(tensor)
        for entry in tensor.external_data
        if entry.key == "location"
    }


def _inner_tensors(model):
    """Yield the tensors that are no weights of the main graph."""
    for sparse in model.graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in _nodes(model):
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for graph in _subgraphs(attribute):
                yield from graph.initializer


def _check_external_data(model, source, name):
    """Accept weights in files of the model's own folder alone."""
    if any(_is_external(tensor) for tensor in _inner_tensors(model)):
        raise ModelError(f"{name} keeps values of inner constants in other files.")
    locations = _locations(model)
    if locations and isinstance(source, bytes):
        raise ModelError(f"{name} keeps weights in other files; give its path instead of bytes.")
    for location in locations:
        folder = Path(source).resolve().parent
        # Resolved, so that neither ".." nor a link leads out.
        target = (folder / location).resolve()
        if not target.is_relative_to(folder):
            raise ModelError(f"{name} keeps weights outside its own folder ({location!r}).")
        if not target.is_file():
            raise ModelError(f"{name} keeps weights in {location!r}, which is missing beside it.")
