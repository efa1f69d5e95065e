"""How many images a graph takes at once: any number, or the one that an exporter wrote into it.

A frozen graph may fail on other numbers, or worse, mix the images of a batch without a word. What
the graph does not tell for certain is tried, on noise, before the first batch runs.
"""

from collections import OrderedDict
from typing import Any

import numpy as np

from skdeepenc.backbones.graphs.graph import fed_by, short_constants
from skdeepenc.backbones.graphs.shapes import infer_shapes
from skdeepenc.exceptions import ModelError

# Runs on one image and on several round differently; images that mix differ far more.
_TOLERANCE = 1e-2
_MANY = 7
# What was tried, by the graph and its layers; two threads may both try, to the same end.
_TRIED: OrderedDict[Any, Any] = OrderedDict()
_MOST_TRIED = 64


def seems_free(skeleton, layers, size):
    """Tell whether a graph that declares any number of images keeps its word.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights, cut after the layers.
    layers : sequence of str
        The tensors that are asked for.
    size : int or (int, int)
        Size of the images that the graph was made for.

    Returns
    -------
    bool
        Whether every layer grows with the images, and nothing reshapes or joins their number away.
    """
    try:
        shapes = infer_shapes(skeleton, size, _MANY)
    except ModelError:
        return False
    grows = all(shapes.get(layer, (0,))[0] == _MANY for layer in layers)
    constants, reached = short_constants(skeleton), fed_by(skeleton, skeleton.graph.input[0].name)
    return grows and not any(
        _writes_number(node, constants)
        for node in skeleton.graph.node
        if reached.intersection(node.input)
    )


def _writes_number(node, constants):
    """Tell whether a node may make another number of images of those that come in."""
    if node.op_type == "Concat":  # onnx believes that what is joined fits
        return True
    target = constants.get(node.input[1]) if node.op_type == "Reshape" else None
    return target is not None and target[:1] > 0


def tried_once(key, attempt):
    """Return what an attempt returned when this process first made it."""
    outcome = _TRIED.get(key)
    if outcome is None:
        outcome = _TRIED[key] = attempt()
        while len(_TRIED) > _MOST_TRIED:
            _TRIED.popitem(last=False)
    return outcome


def takes_any_number(run, n_images, image_shape):
    """Try whether a graph treats the images of a batch apart.

    Parameters
    ----------
    run : callable
        Takes a batch and returns its outputs.
    n_images : int
        The number of images that the graph was made for.
    image_shape : tuple of int
        Height and width of the images.

    Returns
    -------
    bool
        Whether two images give together what each gives at that number.
    """
    noise = np.random.default_rng(0).normal(size=(2, 3, *image_shape)).astype(np.float32)
    if n_images == 2:
        noise = np.concatenate([noise, -noise[:1]])
    expected = run_in_parts(run, noise, n_images)
    try:
        outputs = run(noise)
    except ModelError:
        return False
    return all(map(_agree, outputs, expected))


def _agree(output, expected):
    if output.shape != expected.shape:
        return False
    difference = np.abs(np.subtract(output, expected, dtype=np.float32)).max(initial=0)
    return difference <= _TOLERANCE * np.abs(expected).max(initial=0)


def run_in_parts(run, pixels, n_images):
    """Run a batch a fixed number of images at a time; the last part is filled up and cut again.

    Parameters
    ----------
    run : callable
        Takes a batch and returns its outputs.
    pixels : array of shape (batch, 3, height, width)
        The images.
    n_images : int
        How many run at a time.

    Returns
    -------
    list of array
        The outputs for all images.

    Raises
    ------
    ModelError
        If an output has not one row per image.
    """
    parts = [
        run(_filled(pixels[start : start + n_images], n_images))
        for start in range(0, len(pixels), n_images)
    ]
    outputs = list(zip(*parts, strict=True))
    if any(np.shape(part)[:1] != (n_images,) for output in outputs for part in output):
        raise ModelError(f"its outputs have not one row for each of {n_images} images.")
    return [np.concatenate(output)[: len(pixels)] for output in outputs]


def _filled(pixels, n_images):
    missing = n_images - len(pixels)
    return np.concatenate([pixels, pixels[-1:].repeat(missing, axis=0)]) if missing else pixels
