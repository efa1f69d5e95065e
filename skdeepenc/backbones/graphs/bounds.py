"""What a graph may ask of a machine: bounds that no network in use comes near.

A few hundred bytes can ask for all memory there is, or forever. What inference can tell is refused
before anything runs; what it cannot tell is marked, so that the first run is watched.
"""

import math
from collections import Counter

from skdeepenc.backbones.graphs.constants import subgraphs
from skdeepenc.backbones.graphs.graph import node_inputs
from skdeepenc.backbones.graphs.shapes import infer_shapes
from skdeepenc.exceptions import ModelError
from skdeepenc.images.sizes import both_sides, in_words

# Functions of the largest exports expand to some ten thousand nodes.
MAX_NODES = 1_000_000
# Transformers hold up to 4 KiB a pixel at once, on large images; small ones may hold this anyway.
_ALWAYS_ALLOWED = 1 << 30
_BYTES_PER_PIXEL = 1 << 14
_BYTES_PER_VALUE = 4
_ROUNDS = {"Loop", "Scan"}
# What makes tensors as large as it is told to.
_EXPANDING = {
    *("ConstantOfShape", "Expand", "Tile", "Range", "Resize", "Upsample", "Pad", "OneHot"),
    *("CenterCropPad", "RandomNormal", "RandomUniform", "MaxUnpool", "Col2Im", "Einsum"),
}


def check_functions(model, name):
    """Refuse functions that call each other in a circle, or that write out to too much.

    Parameters
    ----------
    model : onnx.ModelProto
        A parsed model.
    name : str
        What to call it.

    Raises
    ------
    ModelError
        If writing them out would not end, or end in more than `MAX_NODES` nodes.
    """
    functions = {(function.domain, function.name): function for function in model.functions}
    calls = {key: _calls(function.node) for key, function in functions.items()}
    lengths: dict[tuple[str, str], int] = {}
    waiting = dict(calls)
    while waiting:
        # Innermost first: those that call nothing that still waits.
        ready = [key for key, called in waiting.items() if not called.keys() & waiting.keys()]
        if not ready:
            circle = ", ".join(sorted(function for _, function in waiting))
            raise ModelError(f"{name} defines functions that call each other forever: {circle}.")
        for key in ready:
            lengths[key] = _length(waiting.pop(key), lengths)
    if _length(_calls(model.graph.node), lengths) > MAX_NODES:
        raise ModelError(f"{name} calls its own functions more than {MAX_NODES} times.")


def _calls(nodes):
    """Count the operators that nodes and their branches call."""
    count: Counter[tuple[str, str]] = Counter()
    for node in nodes:
        count[node.domain, node.op_type] += 1
        for subgraph in subgraphs(node):
            count += _calls(subgraph.node)
    return count


def _length(calls, lengths):
    """Return how many nodes calls come to when the functions among them are written out."""
    return sum(times * lengths.get(key, 1) for key, times in calls.items())


def check_memory(skeleton, size):
    """Refuse a graph that holds absurdly much at once; tell whether that could be told at all.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights, cut after the layers that are asked for.
    size : int or (int, int)
        Size of the images that the model was made for.

    Returns
    -------
    bool
        Whether the graph must be watched: it goes round in loops, or makes tensors of a size that
        nobody knows before it runs.

    Raises
    ------
    ModelError
        If one image needs more memory than any network's.
    """
    shapes = infer_shapes(skeleton, size)
    needed = _BYTES_PER_VALUE * most_values_at_once(skeleton, shapes)
    allowed = max(_ALWAYS_ALLOWED, _BYTES_PER_PIXEL * math.prod(both_sides(size)))
    if needed > allowed:
        raise ModelError(
            f"it needs {needed / 2**30:.1f} GiB for one image of {in_words(size)} pixels; more "
            f"than {allowed / 2**30:.1f} GiB are not tried."
        )
    return any(_must_be_watched(node, shapes) for node in skeleton.graph.node)


def most_values_at_once(skeleton, shapes):
    """Return how many values are alive at once at most, weights left out.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights.
    shapes : dict of str to tuple of int
        What inference tells.

    Returns
    -------
    int
        The largest sum of the sizes of tensors between their making and their last use.
    """
    nodes = skeleton.graph.node
    last_read = {name: place for place, node in enumerate(nodes) for name in node_inputs(node)}
    last_read |= {value.name: len(nodes) for value in skeleton.graph.output}
    alive: dict[str, int] = {}
    most = now = 0
    for place, node in enumerate(nodes):
        made = {name: math.prod(shapes.get(name, (0,))) for name in node.output if name}
        alive |= made
        now += sum(made.values())
        most = max(most, now)
        for name in {*node_inputs(node), *made}:
            if last_read.get(name, place) == place:
                now -= alive.pop(name, 0)
    return most


def _must_be_watched(node, shapes):
    if node.op_type in _ROUNDS:
        return True
    if node.op_type in _EXPANDING and any(name and name not in shapes for name in node.output):
        return True
    # Inference says nothing of what is inside a branch.
    return any(_must_be_watched(inner, {}) for graph in subgraphs(node) for inner in graph.node)
