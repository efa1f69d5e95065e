"""Tell the shape of every tensor of a graph for images of one size, small sums included.

Exporters compute sizes in the graph: shapes are cut, put together, compared. onnx's own inference
follows that only so far; here whatever is small and the same for all images is computed.
"""

import math

import numpy as np
import onnx
from onnx import helper, numpy_helper

from skdeepenc.backbones.graphs.graph import SHORT_CONSTANT, attribute, short_constants

# Where operators on codes name tensors, between scales and zero points.
_DATA = {
    "QLinearAdd": slice(0, 4, 3),
    "QLinearConcat": slice(2, None, 3),
    "QLinearMatMul": slice(0, 4, 3),
    "QLinearMul": slice(0, 4, 3),
}
# The domain of operators on channels in blocks.
BLOCKED = "com.microsoft.nchwc"
# Operators whose output is as large as their last input says.
_GROWING = ("ConstantOfShape", "Expand", "Tile")

# Of comparisons that are defined by others, onnx 1.17 tells no shape: they have that of the others.
_SHAPED_AS = {"GreaterOrEqual": "Greater", "LessOrEqual": "Less"}


class ShapeWalk:
    """Goes through the nodes of a graph in order; `visit` them one by one.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights.
    pixels : tuple of int
        The shape of its input.

    Attributes
    ----------
    known : dict of str to array
        The values that are the same for all images of this size, where they are short.
    types : dict of str to onnx.TypeProto
        Type and shape of every tensor that could be told.
    """

    def __init__(self, skeleton, pixels):
        self._opset = {entry.domain: entry.version for entry in skeleton.opset_import}
        self._opset_import = list(skeleton.opset_import)
        self.known = short_constants(skeleton)
        self.types = {
            tensor.name: helper.make_tensor_type_proto(tensor.data_type, list(tensor.dims))
            for tensor in skeleton.graph.initializer
        }
        entrance = skeleton.graph.input[0]
        element = entrance.type.tensor_type.elem_type
        self.types[entrance.name] = helper.make_tensor_type_proto(element, list(pixels))

    def run(self, nodes):
        """Visit nodes in their order, and return the walk."""
        for node in nodes:
            self.visit(node)
        return self

    def visit(self, node):
        """Find out what a node gives: the shapes of its outputs, and their values if short."""
        if node.op_type == "If" and node.input[0] in self.known:
            self._take_branch(node)
        self._evaluate(node)
        if not self.types.keys() >= {name for name in node.output if name}:
            self._infer(node)

    def _take_branch(self, node):
        """Walk through the branch that images of this size take."""
        taken = "then_branch" if self.known[node.input[0]].all() else "else_branch"
        branch = attribute(node, taken)
        self.run(branch.node)
        for inner, name in zip(branch.output, node.output, strict=True):
            for found in (self.types, self.known):
                if inner.name in found:
                    found[name] = found[inner.name]

    def shape(self, name):
        """Return a tensor's shape, or None where it could not be told."""
        kind = self.types.get(name)
        if kind is None or not kind.tensor_type.HasField("shape"):
            return None
        sizes = [
            size.dim_value for size in kind.tensor_type.shape.dim if size.HasField("dim_value")
        ]
        return tuple(sizes) if len(sizes) == len(kind.tensor_type.shape.dim) else None

    def element_type(self, name):
        """Return the type of a tensor's values, as ONNX numbers them."""
        return self.types[name].tensor_type.elem_type

    def _evaluate(self, node):
        """Compute a short constant; nothing that depends on pixels is ever computed here."""
        if node.op_type == "Shape":
            shape = self.shape(node.input[0])
            if shape is not None:
                chosen = slice(attribute(node, "start", 0), attribute(node, "end"))
                self.known[node.output[0]] = np.array(shape[chosen], dtype=np.int64)
            return
        if node.op_type == "If":
            return
        values = [self.known.get(name) for name in node.input if name]
        if not values or any(value is None for value in values):
            return
        if node.op_type in _GROWING and math.prod(values[-1].tolist()) > SHORT_CONSTANT:
            return
        for name, value in zip(node.output, self._compute(node, values), strict=False):
            value = np.asarray(value)
            element = helper.np_dtype_to_tensor_dtype(value.dtype)
            self.types[name] = helper.make_tensor_type_proto(element, list(value.shape))
            if value.size <= SHORT_CONSTANT:
                self.known[name] = value

    def _compute(self, node, values):
        """Return the outputs of one node on given values; none where that does not work."""
        from onnx.reference import ReferenceEvaluator  # a fifth of a second, for transformers alone

        names = [name for name in node.input if name]
        empty = helper.make_empty_tensor_value_info
        graph = helper.make_graph([node], "node", [*map(empty, names)], [*map(empty, node.output)])
        model = helper.make_model(graph, opset_imports=self._opset_import)
        try:
            return ReferenceEvaluator(model).run(None, dict(zip(names, values, strict=True)))
        except Exception:  # numpy's and onnx's own; what cannot be computed stays unknown
            return []

    def _infer(self, node):
        """Find the shapes of a node's outputs from those of its inputs."""
        inputs = {name: self.types[name] for name in node.input if name in self.types}
        data = {
            name: numpy_helper.from_array(np.ascontiguousarray(self.known[name]), name)
            for name in node.input
            if name in self.known
        }
        try:
            operator = _SHAPED_AS.get(node.op_type, node.op_type)
            schema = onnx.defs.get_schema(operator, self._opset[node.domain], node.domain)
            found = onnx.shape_inference.infer_node_outputs(
                schema, node, inputs, data, opset_imports=self._opset_import
            )
        except Exception:  # operators that onnx does not know, and shapes that contradict
            found = self._infer_fused(node)
        if node.op_type == "Reshape" and not self._keeps_size(node, found):
            found = {}  # onnx believes a constant target, whatever comes in
        self.types.update(found)

    def _keeps_size(self, node, found):
        """Tell whether a reshape gives as many values as it takes."""
        source, kind = self.shape(node.input[0]), found.get(node.output[0])
        target = [] if kind is None else [size.dim_value for size in kind.tensor_type.shape.dim]
        return source is None or 0 in target or math.prod(source) == math.prod(target)

    def _infer_fused(self, node):
        """Find the shape that an operator of onnxruntime's own gives."""
        if node.domain == BLOCKED:
            return self._infer_blocked(node)
        parts = data_inputs(node)
        shapes = [self.shape(name) for name in parts]
        if node.domain != "com.microsoft" or not shapes or shapes[0] is None:
            return {}
        kind = helper.make_tensor_type_proto(
            self.element_type(parts[0]), self._fused_shape(node, shapes)
        )
        return {name: kind for name in node.output if name}

    def _fused_shape(self, node, shapes):
        """Return the shape that an operator gives, most often that of what it reads first."""
        if node.op_type == "FusedMatMul":
            return self._product(node)
        if None not in shapes and node.op_type == "QLinearConcat":
            axis = attribute(node, "axis")
            joined = list(shapes[0])
            joined[axis] = sum(shape[axis] for shape in shapes)
            return joined
        if None not in shapes and node.op_type in ("QLinearAdd", "QLinearMul"):
            return np.broadcast_shapes(*shapes)
        return shapes[0]

    def _infer_blocked(self, node):
        """Find the shape of a map whose channels stand in blocks, as if they did not."""
        source = self.shape(node.input[0])
        if source is None:
            return {}
        if node.op_type.startswith("Reorder"):
            shape = _reordered(node, source)
            return {
                node.output[0]: helper.make_tensor_type_proto(
                    self.element_type(node.input[0]), shape
                )
            }
        plain = onnx.NodeProto()
        plain.CopyFrom(node)
        plain.domain = ""
        del plain.input[3:]  # what is added after the convolution
        kept = [entry for entry in plain.attribute if not entry.name.startswith("activation")]
        del plain.attribute[:]
        plain.attribute.extend(kept)
        self._infer(plain)
        return {}

    def _product(self, node):
        """Return the shape of a product of two tensors, each transposed if a flag says so."""
        left, right = (list(self.shape(name) or ()) for name in node.input[:2])
        if attribute(node, "transA", 0):
            left[-2:] = left[:-3:-1]
        if attribute(node, "transB", 0):
            right[-2:] = right[:-3:-1]
        return [*np.broadcast_shapes(left[:-2], right[:-2]), *left[-2:-1], *right[-1:]]


def data_inputs(node):
    """Return what a node reads, without the scales and zero points of codes."""
    return node.input[_DATA.get(node.op_type, slice(None))]


def _reordered(node, source):
    """Return the shape of a map that enters or leaves blocks."""
    channels_last = bool(attribute(node, "channels_last", 0))
    batch, *others = source
    if node.op_type == "ReorderInput":
        return (batch, others[-1], *others[:-1]) if channels_last else source
    channels = attribute(node, "channels")
    return (batch, *others[1:], channels) if channels_last else (batch, channels, *others[1:])
