"""Turn fully connected heads into convolutions, so that they run on images of any size.

A fully connected layer on a flattened map is a convolution whose kernel is as large as the map: on
a larger image it gives its answer at every position, as if the network had been run on every
window. Two things stand for a vector (batch, D) here: a *window*, a flattened map that no layer has
read yet, and a *dense* tensor, the map (batch, D, rows, columns) that is in its place afterwards.

Weights are reshaped by nodes in the graph, which the runtime folds when it opens it: no weight is
read here, wherever it lies.
"""

from dataclasses import dataclass

import numpy as np
from onnx import helper, numpy_helper

from skdeepenc.backbones.graphs.graph import attribute, fed_by, with_nodes
from skdeepenc.backbones.graphs.shapes import enlarged, infer_shapes

_FLATTENING = {"Flatten", "Reshape", "Squeeze"}
# fmt: off
_ELEMENTWISE = {
    "Abs", "Cast", "Clip", "Dropout", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish",
    "Identity", "LeakyRelu", "Mish", "Neg", "Relu", "Selu", "Sigmoid", "Softplus", "Sqrt", "Tanh",
}
# fmt: on
_BROADCASTING = {"Add", "Sub", "Mul", "Div", "PRelu", "Sum", "Max", "Min"}


@dataclass(frozen=True)
class _Window:
    """A flattened map: where it lies before the flattening, its sizes, and in which order."""

    map: str
    sizes: tuple[int, ...]
    channels_last: bool


def densify(skeleton, size, batch=1):
    """Turn every fully connected layer that reads a map into a convolution.

    Tensors keep their names. What cannot be converted reads the flattened tensor as before, and
    works at the model's own image size alone.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights.
    size : int or (int, int)
        Side of the images that the model was made for, or height and width.
    batch : int, default=1
        The number of images that it was made for.

    Returns
    -------
    onnx.ModelProto
        The graph with a dense head; equal to the given one at the model's own image size.
    """
    head = _Head(skeleton, size, batch)
    for node in skeleton.graph.node:
        head.visit(node)
    head.finish()
    return with_nodes(skeleton, head.nodes, head.constants)


class _Head:
    """Rewrites nodes one after the other, and remembers which tensors stand for vectors."""

    def __init__(self, skeleton, size, batch):
        self.batch = batch
        self.shapes = infer_shapes(skeleton, size, batch)
        self.larger = infer_shapes(skeleton, enlarged(size), batch)
        self.reached = fed_by(skeleton, skeleton.graph.input[0].name)
        self.windows = {}
        self.flattening = {}
        self.channels_last = {}
        self.dense = set()
        self.flat = {}
        self.nodes = []
        self.constants = []

    def visit(self, node):
        """Rewrite one node, or keep it."""
        if node.op_type == "Transpose" and attribute(node, "perm") == [0, 2, 3, 1]:
            self.channels_last[node.output[0]] = node.input[0]
        window = self._flattened(node)
        if window is not None:
            self.windows[node.output[0]] = window
            self.flattening[node.output[0]] = node
        elif not self._touched(node) or not self._convert(node):
            self._keep(node)

    def finish(self):
        """Give the flattened tensors their names back, for whoever asks for them."""
        for name, node in self.flattening.items():
            window = self.windows[name]
            if name not in self.flat and max(window.sizes[1:]) == 1:
                self.nodes.append(helper.make_node("Identity", [window.map], [name]))
            elif name not in self.flat:
                self.nodes.append(node)

    def _touched(self, node):
        return any(name in self.windows or name in self.dense for name in node.input)

    def _flattened(self, node):
        """Return the window that a node makes of a map, or None if it does nothing like it."""
        if node.op_type not in _FLATTENING:
            return None
        source = node.input[0]
        before, after = self.shapes.get(source, ()), self.shapes.get(node.output[0], ())
        if len(before) != 4 or after != (self.batch, int(np.prod(before[1:]))):
            return None
        channels_last = source in self.channels_last
        window_map = self.channels_last.get(source, source)
        # A map pooled over the whole image stays one vector: nothing to convert.
        grows = self.larger.get(window_map) != self.shapes[window_map]
        return _Window(window_map, self.shapes[window_map][1:], channels_last) if grows else None

    def _convert(self, node):
        """Rewrite a node that reads a window or a dense tensor; tell whether it could be done."""
        if node.op_type in _ELEMENTWISE or self._changes_nothing(node):
            return self._elementwise(node)
        if node.op_type in ("Gemm", "MatMul"):
            return self._fully_connected(node)
        if node.op_type in _BROADCASTING:
            return self._broadcast(node)
        if node.op_type in ("Softmax", "LogSoftmax"):
            return self._softmax(node)
        if node.op_type == "BatchNormalization":
            return self._per_channel(node)
        return False

    def _elementwise(self, node):
        window = self.windows.get(node.input[0])
        if window is None:
            return self._per_channel(node)
        # The flattened tensor is not there: do the same to its map.
        mapped = f"{node.output[0]}/map"
        self._emit(node, inputs=[window.map, *node.input[1:]], output=mapped)
        flatten = helper.make_node("Flatten", [mapped], node.output[:1], axis=1)
        self.windows[node.output[0]] = _Window(mapped, window.sizes, window.channels_last)
        self.flattening[node.output[0]] = flatten
        return True

    def _changes_nothing(self, node):
        """Tell whether a node flattens what is flat already."""
        if node.op_type not in _FLATTENING:
            return False
        shape = self.shapes.get(node.input[0])
        return shape is not None and shape == self.shapes.get(node.output[0])

    def _per_channel(self, node):
        """Keep a node that treats channels alike in vectors and in maps."""
        source = self._as_map(node.input[0])
        if source is None:
            return False
        self._emit(node, inputs=[source, *node.input[1:]])
        self.dense.add(node.output[0])
        return True

    def _as_map(self, name):
        """Return the tensor (batch, D, rows, columns) that stands for a vector, or None."""
        if name in self.dense:
            return name
        window = self.windows.get(name)
        return window.map if window and max(window.sizes[1:]) == 1 else None

    def _fully_connected(self, node):
        """Make a convolution of a product with a constant matrix, and an addition of its bias."""
        source, weight, *bias = node.input
        window = self.windows.get(source)
        is_vector = window is not None or (source in self.dense and source in self.shapes)
        is_matrix = weight not in self.reached and len(self.shapes.get(weight, ())) == 2
        if not (is_vector and is_matrix and _is_plain_product(node)):
            return False
        if not all(self._broadcasts(name) for name in bias):
            return False
        kernel = self._kernel(node, window)
        product = f"{node.output[0]}/product" if bias else node.output[0]
        self.nodes.append(
            helper.make_node("Conv", [window.map if window else source, kernel], [product])
        )
        if bias:
            inputs = [product, self._on_channels(bias[0])]
            self.nodes.append(helper.make_node("Add", inputs, node.output))
        self.dense.add(node.output[0])
        return True

    def _kernel(self, node, window):
        """Return the name of the weight as a kernel (D, channels, rows, columns)."""
        weight = node.input[1]
        if not attribute(node, "transB", 0):
            weight = self._derive("Transpose", [weight], perm=[1, 0])
        channels, *grid = window.sizes if window else (self.shapes[node.input[0]][1], 1, 1)
        if window and window.channels_last:
            weight = self._reshape(weight, [-1, *grid, channels])
            return self._derive("Transpose", [weight], perm=[0, 3, 1, 2])
        return self._reshape(weight, [-1, channels, *grid])

    def _broadcast(self, node):
        """Let constants that stand on channels broadcast along positions."""
        vectors = {name: self._as_map(name) for name in node.input}
        others = [name for name, source in vectors.items() if source is None]
        if not all(self._broadcasts(name) for name in others):
            return False
        inputs = [vectors[name] or self._on_channels(name) for name in node.input]
        self._emit(node, inputs=inputs)
        self.dense.add(node.output[0])
        return True

    def _broadcasts(self, name):
        """Tell whether a constant holds one number, or one per channel."""
        shape = self.shapes.get(name)
        return name not in self.reached and shape is not None and shape[:-1] in ((), (1,))

    def _on_channels(self, name):
        return self._reshape(name, [1, -1, 1, 1])

    def _softmax(self, node):
        """Normalise over channels; old opsets would take everything after the axis instead."""
        source = self._as_map(node.input[0])
        if source is None or attribute(node, "axis", -1) not in (1, -1):
            return False
        rows, normalised = f"{node.output[0]}/rows", f"{node.output[0]}/normalised"
        self.nodes.extend(
            (
                helper.make_node("Transpose", [source], [rows], perm=[0, 2, 3, 1]),
                helper.make_node(node.op_type, [rows], [normalised], axis=3),
                helper.make_node("Transpose", [normalised], node.output, perm=[0, 3, 1, 2]),
            )
        )
        self.dense.add(node.output[0])
        return True

    def _keep(self, node):
        """Keep a node; what it reads becomes the vector again that it was."""
        inputs = [self._as_vector(name) for name in node.input]
        self._emit(node, inputs=inputs)

    def _as_vector(self, name):
        if name in self.windows and name not in self.flat:
            self.nodes.append(self.flattening[name])
            self.flat[name] = name
        elif name in self.dense and name not in self.flat:
            self.flat[name] = f"{name}/flat"
            self.nodes.append(helper.make_node("Flatten", [name], [self.flat[name]], axis=1))
        return self.flat.get(name, name)

    def _emit(self, node, *, inputs, output=None):
        copy = type(node)()
        copy.CopyFrom(node)
        copy.input[:] = inputs
        if self._changes_nothing(node):
            copy = helper.make_node("Identity", inputs[:1], node.output)
        if output is not None:
            copy.output[0] = output
        self.nodes.append(copy)

    def _derive(self, op_type, inputs, **attributes):
        """Emit a node on a constant, and return the name of its result."""
        derived = f"{inputs[0]}/{op_type.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [derived], **attributes))
        return derived

    def _reshape(self, name, sizes):
        shape = f"{name}/shape{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(sizes, dtype=np.int64), shape))
        return self._derive("Reshape", [name, shape])


def _is_plain_product(node):
    """Tell whether a Gemm or MatMul is x W + b, as every exporter writes fully connected layers."""
    factors = attribute(node, "alpha", 1.0), attribute(node, "beta", 1.0)
    return factors == (1, 1) and not attribute(node, "transA", 0)
