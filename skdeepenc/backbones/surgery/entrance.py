"""The entrance of a graph: from float32 images, channels first, to whatever the graph takes.

Exporters keep the conventions of where they come from: Keras puts channels last, mobile models take
bytes, old ones one channel. A few nodes in front of the graph make all of them alike, so that the
rest of the package knows one kind of input, float32 of shape (batch, 3, height, width).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from skdeepenc.backbones.graphs.graph import declared_shape, fed_by, set_shape
from skdeepenc.backbones.surgery.channel_axis import find_channels
from skdeepenc.exceptions import ModelError
from skdeepenc.images.preprocessing import Preprocessing
from skdeepenc.images.sizes import LARGEST_SIDE, one_size

#: What the names of everything begin with that is put in front of a graph.
FRONT = "skdeepenc/entrance"
_TYPES = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.UINT8}
_CHANNELS = (1, 3)
# ITU-R 601, as Pillow turns images grey.
_GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)
# An operator, its inputs after the first, and its attributes.
_Step: TypeAlias = tuple[str, list[str], dict[str, Any]]
_BYTES = Preprocessing(mean=(0, 0, 0), std=(1, 1, 1), scale=1)


@dataclass(frozen=True)
class Entrance:
    """The input that takes the images.

    Parameters
    ----------
    name : str
        Its name in the graph.
    elem_type : int
        Its type, as ONNX numbers them.
    channels : {1, 3}
        How many channels an image has; one is the grey of the three that come in.
    channels_last : bool
        Whether images are (height, width, channels).
    size : int, (int, int) or None
        The declared side, or height and width; None where a side is free.
    batch : int or None
        The declared number of images; None where it is free.
    """

    name: str
    elem_type: int
    channels: int
    channels_last: bool
    size: int | tuple[int, int] | None
    batch: int | None

    @property
    def takes_bytes(self):
        """Whether pixels go in as they are, from 0 to 255: what normalises them is inside."""
        return self.elem_type == TensorProto.UINT8

    @property
    def is_usual(self):
        """Whether nothing has to be put in front."""
        return (self.elem_type, self.channels, self.channels_last) == (TensorProto.FLOAT, 3, False)

    @property
    def usual_preprocessing(self):
        """What to suppose of a model that nobody described."""
        return _BYTES if self.takes_bytes else Preprocessing()

    def check_preprocessing(self, preprocessing):
        """Raise a ModelError if pixels prepared so would not be what the graph takes."""
        plain = (preprocessing.mean, preprocessing.std, preprocessing.scale)
        if self.takes_bytes and plain != (_BYTES.mean, _BYTES.std, _BYTES.scale):
            raise ModelError(
                f"The input {self.name!r} takes bytes from 0 to 255 and normalises them itself; "
                "give preprocessing=Preprocessing(mean=(0, 0, 0), std=(1, 1, 1), scale=1)."
            )
        if self.channels == 1 and preprocessing.channel_order != "RGB":
            raise ModelError(
                f"The input {self.name!r} takes one channel, the grey of RGB; give a "
                'preprocessing with channel_order="RGB".'
            )


def find_entrance(skeleton):
    """Find the input that takes images, among all that must be fed.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights, with its own inputs.

    Returns
    -------
    Entrance
        The first input that takes three channels, or else one.

    Raises
    ------
    ModelError
        If none does; the message says of each why not.
    """
    found, obstacles = [], []
    for value in skeleton.graph.input:
        try:
            found.append(_entrance(value, skeleton))
        except ModelError as error:
            obstacles.append(f"{_described(value)}: {error}")
    if not found:
        raise ModelError(
            "No input of the model takes images, of shape (batch, channels, height, width) or "
            "(batch, height, width, channels), with three channels or one, as float16, float32, "
            f"float64 or uint8. {'; '.join(obstacles) or 'It has none'}."
        )
    return max(found, key=lambda entrance: entrance.channels)


def _entrance(value, skeleton):
    """Describe one input as an entrance, or raise a ModelError that says what is in the way."""
    if not value.type.HasField("tensor_type"):
        raise ModelError("no tensor")
    elem_type, shape = value.type.tensor_type.elem_type, declared_shape(value)
    if elem_type not in _TYPES:
        raise ModelError("another type; export the model with a cast from float32 in front of it")
    if len(shape) != 4:
        raise ModelError("not four axes; export the model for batches of images")
    axis, channels = find_channels(skeleton, value.name, shape)
    if channels not in _CHANNELS:
        raise ModelError(f"{channels} channels; export the model for RGB or grey images")
    sides = [size for other, size in enumerate(shape) if other not in (0, axis)]
    fixed = all(isinstance(side, int) and side > 0 for side in sides)
    if fixed and max(sides) > LARGEST_SIDE:
        raise ModelError(f"sides of more than {LARGEST_SIDE} pixels")
    batch = shape[0] if isinstance(shape[0], int) and shape[0] > 0 else None
    size = one_size(sides) if fixed else None
    return Entrance(value.name, elem_type, channels, axis == 3, size, batch)


def _described(value):
    kind = value.type.tensor_type
    name = TensorProto.DataType.Name(kind.elem_type).lower() if kind.elem_type else "untyped"
    sizes = ", ".join(map(str, declared_shape(value)))
    return f"{value.name!r} is {name} ({sizes})"


def open_entrance(skeleton):
    """Make a graph take images alone, float32 of shape (batch, 3, height, width).

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights, with its own inputs; changed in place.

    Returns
    -------
    skeleton : onnx.ModelProto
        The graph, with one input of any number and size. What needs other inputs is dropped.
    entrance : Entrance
        What it took before.
    closed : dict of str to str
        What was dropped, and the input that each needs.

    Raises
    ------
    ModelError
        If no input takes images, or nothing is left.
    """
    entrance = find_entrance(skeleton)
    closed = _closed_tensors(skeleton, entrance)
    front, constants = ([], []) if entrance.is_usual else _front(entrance)
    pixels = entrance.name if entrance.is_usual else FRONT
    entry = helper.make_tensor_value_info(pixels, TensorProto.FLOAT, None)
    set_shape(entry, ("batch", 3, "height", "width"))
    graph = skeleton.graph
    nodes = [node for node in graph.node if not closed.keys() & set(node.output)]
    _replace(graph.input, [entry])
    _replace(graph.node, [*front, *nodes])
    _replace(graph.output, [value for value in graph.output if value.name not in closed])
    graph.initializer.extend(constants)
    return skeleton, entrance, closed


def _closed_tensors(skeleton, entrance):
    """Return what cannot be computed from images alone, by the name of the input it needs."""
    others = [value.name for value in skeleton.graph.input if value.name != entrance.name]
    closed = {tensor: name for name in others for tensor in fed_by(skeleton, name)}
    if all(closed.keys() & set(node.output) for node in skeleton.graph.node):
        needed = ", ".join(sorted(set(closed.values())))
        raise ModelError(f"All of the graph needs inputs beside its images: {needed}.")
    return closed


def check_open(layers, closed, model_name):
    """Raise a ModelError if a layer needs an input that is not fed.

    Parameters
    ----------
    layers : sequence of (str or int)
        What is asked for.
    closed : dict of str to str
        What `open_entrance` dropped.
    model_name : str
        What to call the model.
    """
    for layer in layers:
        if layer in closed:
            raise ModelError(
                f"{layer!r} of {model_name} needs the input {closed[layer]!r}, and skdeepenc feeds "
                "only images: ask for a layer before it, or give that input a default, an "
                "initializer of its name."
            )


def _replace(field, entries):
    kept = [type(entry).FromString(entry.SerializeToString()) for entry in entries]
    del field[:]
    field.extend(kept)


def _front(entrance):
    """Return the nodes that turn pixels into the input, and their constants."""
    steps: list[_Step] = []
    constants = []
    if entrance.channels == 1:
        constants.append(numpy_helper.from_array(_GREY[None, :, None, None], f"{FRONT}/grey"))
        steps.append(("Conv", [f"{FRONT}/grey"], {}))
    if entrance.takes_bytes:
        # A cast cuts off what comes after the point.
        constants.append(numpy_helper.from_array(np.array(0.5, dtype=np.float32), f"{FRONT}/half"))
        steps.append(("Add", [f"{FRONT}/half"], {}))
    if entrance.elem_type != TensorProto.FLOAT:
        steps.append(("Cast", [], {"to": entrance.elem_type}))
    if entrance.channels_last:
        # A graph that turns channels to the front again gets its pixels as they came: onnxruntime
        # cancels the two.
        steps.append(("Transpose", [], {"perm": [0, 2, 3, 1]}))
    return _chain(steps, FRONT, entrance.name), constants


def _chain(steps: Sequence[_Step], source: str, target: str) -> list[onnx.NodeProto]:
    """Return one node a step, each reading the one before."""
    names = [source, *(f"{FRONT}/{number}" for number in range(1, len(steps))), target]
    return [
        helper.make_node(op, [before, *more], [after], f"{FRONT}/{after}", **attributes)
        for (op, more, attributes), before, after in zip(steps, names[:-1], names[1:], strict=True)
    ]
