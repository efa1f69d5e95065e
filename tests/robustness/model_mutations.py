"""Damage to models: fields that say something else, and bytes that do.

A flipped byte mostly ends at the parser. Fields that are changed in the parsed model come through
it, to whatever believes them.
"""

import onnx
from onnx import AttributeProto

from robustness.mutations import mutated

STRANGE_SIZES = [-(2**63), -(2**31), -1, 0, 1, 2, 3, 7, 1000, 2**31 - 1, 2**40, 2**63 - 1]
STRANGE_NAMES = ["", "pixels", "nowhere", "../x", "a\x00b", "x" * 5000, "²"]
STRANGE_TYPES = [0, 1, 2, 6, 7, 8, 9, 10, 11, 16, 21, 1000]
OPERATORS = [
    *("Relu", "Conv", "MatMul", "Reshape", "Transpose", "Concat", "Loop", "If", "Softmax"),
    *("Cast", "Gather", "Slice", "Expand", "Tile", "ConstantOfShape", "Resize", "Shape"),
    *("Split", "Unknown"),
]


def mutated_model(content, rng):
    """Return the content of a model that differs in its bytes, or in one or two fields."""
    if rng.random() < 0.25:
        return mutated(content, rng)
    model = onnx.load_from_string(content)
    for _ in range(rng.integers(1, 3)):
        change = CHANGES[rng.integers(len(CHANGES))]
        change(model, rng)
    return model.SerializeToString()


def _pick(things, rng):
    """Return one of some things, or None where there are none."""
    return things[int(rng.integers(len(things)))] if len(things) else None


def change_attribute(model, rng):
    """Put strange numbers or text into an attribute, or take it away."""
    node = _pick(model.graph.node, rng)
    attribute = node and _pick(node.attribute, rng)
    if attribute is None:
        return
    size = _pick(STRANGE_SIZES, rng)
    if rng.random() < 0.2:
        node.attribute.remove(attribute)
    elif attribute.type == AttributeProto.INT:
        attribute.i = size
    elif attribute.type == AttributeProto.INTS and attribute.ints:
        attribute.ints[rng.integers(len(attribute.ints))] = size
    elif attribute.type == AttributeProto.INTS:
        attribute.ints.append(size)
    elif attribute.type == AttributeProto.STRING:
        attribute.s = _pick(STRANGE_NAMES, rng).encode()
    elif attribute.type == AttributeProto.TENSOR:
        _change_tensor(attribute.t, rng)
    else:
        attribute.type = _pick(STRANGE_TYPES[:12], rng) % 14


def _change_tensor(tensor, rng):
    kind = rng.integers(5)
    if kind == 0 and tensor.dims:
        tensor.dims[rng.integers(len(tensor.dims))] = _pick(STRANGE_SIZES, rng)
    elif kind == 1:
        tensor.dims.append(_pick(STRANGE_SIZES, rng))
    elif kind == 2 and tensor.dims:
        del tensor.dims[-1]
    elif kind == 3:
        tensor.data_type = _pick(STRANGE_TYPES, rng)
    else:
        tensor.raw_data = mutated(tensor.raw_data, rng)


def change_weight(model, rng):
    """Change a weight's sizes, type, values or name."""
    tensor = _pick(model.graph.initializer, rng)
    if tensor is None:
        return
    if rng.random() < 0.2:
        tensor.name = _pick(STRANGE_NAMES, rng)
    else:
        _change_tensor(tensor, rng)


def change_declared_shape(model, rng):
    """Let the model declare another input or output."""
    value = _pick([*model.graph.input, *model.graph.output, *model.graph.value_info], rng)
    if value is None:
        return
    kind = value.type.tensor_type
    dimension = _pick(kind.shape.dim, rng)
    choice = rng.integers(5)
    if choice == 0:
        kind.elem_type = _pick(STRANGE_TYPES, rng)
    elif choice == 1:
        value.name = _pick(STRANGE_NAMES, rng)
    elif choice == 2:
        kind.shape.dim.add().dim_value = _pick(STRANGE_SIZES, rng)
    elif choice == 3 and dimension is not None:
        dimension.dim_param = _pick(STRANGE_NAMES, rng)
    elif dimension is not None:
        dimension.dim_value = _pick(STRANGE_SIZES, rng)


def dangle(model, rng):
    """Let a node read, or make, something of another name."""
    node = _pick(model.graph.node, rng)
    names = node and _pick([node.input, node.output], rng)
    if names:
        names[rng.integers(len(names))] = _pick(STRANGE_NAMES, rng)


def close_circle(model, rng):
    """Let a node read what it, or a later one, makes."""
    nodes = model.graph.node
    if not nodes:
        return
    place = rng.integers(len(nodes))
    later = nodes[rng.integers(place, len(nodes))]
    if nodes[place].input and later.output:
        nodes[place].input[rng.integers(len(nodes[place].input))] = later.output[0]


def rewire(model, rng):
    """Let a node read what any other thing in the graph is called."""
    node = _pick(model.graph.node, rng)
    names = [name for other in model.graph.node for name in other.output]
    names += [tensor.name for tensor in model.graph.initializer]
    if node is not None and node.input and names:
        node.input[rng.integers(len(node.input))] = _pick(names, rng)


def change_operator(model, rng):
    """Let a node be another operator, or of another domain."""
    node = _pick(model.graph.node, rng)
    if node is None:
        return
    if rng.random() < 0.2:
        node.domain = _pick(["com.microsoft", "ai.onnx.ml", *STRANGE_NAMES], rng)
    else:
        node.op_type = _pick(OPERATORS, rng)


def lose_node(model, rng):
    """Leave a node out, repeat it, or put it elsewhere."""
    nodes = list(model.graph.node)
    if not nodes:
        return
    node = nodes.pop(rng.integers(len(nodes)))
    for _ in range(rng.integers(3)):
        nodes.insert(rng.integers(len(nodes) + 1), node)
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def lose_input(model, rng):
    """Take an input, an output or a weight away."""
    graph = model.graph
    values = _pick([graph.input, graph.output, graph.initializer], rng)
    if values:
        del values[rng.integers(len(values))]


def change_versions(model, rng):
    """Claim other versions of the format or the operators."""
    entry = _pick(model.opset_import, rng)
    if entry is None or rng.random() < 0.3:
        model.ir_version = _pick([0, 3, 7, 8, 13, 2**40], rng)
    elif rng.random() < 0.2:
        model.opset_import.remove(entry)
    else:
        entry.version = _pick([-1, 0, 7, 11, 13, 18, 24, 2**40], rng)


def change_description(model, rng):
    """Damage what the file says of itself."""
    entry = _pick(model.metadata_props, rng)
    if entry is not None:
        entry.value = mutated(entry.value.encode(), rng).decode("utf-8", "replace")


CHANGES = [
    *(change_attribute, change_weight, change_declared_shape, dangle, close_circle, rewire),
    *(change_operator, lose_node, lose_input, change_versions, change_description),
]
