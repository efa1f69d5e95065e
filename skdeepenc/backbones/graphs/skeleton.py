"""The skeleton of a model: its graph without the values of its large weights.

All surgery is done on skeletons. Weights are the bulk of a model and play no part in it, but every
step would copy them; they are filled in when a session is opened.
"""

import math

import onnx
from onnx import helper

from skdeepenc.backbones.graphs.constants import emptied, held_tensors, lift_constants, named
from skdeepenc.backbones.graphs.graph import SHORT_CONSTANT, free_inputs
from skdeepenc.backbones.graphs.inlining import inline_branches, inline_functions


def without_weights(model):
    """Copy a model, leaving of each large weight only its name, type and sizes.

    All surgery is done on such a skeleton: a graph is small, weights are the bulk of a model.

    Parameters
    ----------
    model : onnx.ModelProto
        A parsed model.

    Returns
    -------
    onnx.ModelProto
        The skeleton, with the inputs that must be fed.
    """
    skeleton = onnx.ModelProto(ir_version=max(model.ir_version, 4))
    skeleton.opset_import.extend(model.opset_import)
    skeleton.functions.extend(model.functions)
    graph = skeleton.graph
    graph.name = model.graph.name or "graph"
    graph.input.extend(free_inputs(model))
    graph.output.extend(helper.make_empty_tensor_value_info(v.name) for v in model.graph.output)
    lift_constants(graph, model.graph, _shortened)
    return inline_branches(inline_functions(skeleton))


def _shortened(name, tensor):
    """Keep a tensor that may be a shape, and the description of a weight."""
    shorten = named if math.prod(tensor.dims) <= SHORT_CONSTANT else emptied
    return shorten(name, tensor)


def with_weights(skeleton, model):
    """Fill a skeleton, in place, with the weights of the model that it was made from."""
    wanted = {tensor.name: tensor for tensor in skeleton.graph.initializer}
    for name, tensor in held_tensors(model.graph):
        # The graph's own come first: a branch may hold another weight of the same name.
        initializer = wanted.pop(name, None)
        if initializer is not None:
            initializer.CopyFrom(tensor)
            initializer.name = name
    return skeleton
