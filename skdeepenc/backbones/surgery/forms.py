"""The forms of one graph: for images of the model's own size, and for all others."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import onnx

from skdeepenc.backbones.surgery.dense_heads import densify
from skdeepenc.backbones.surgery.reshapes import free_reshapes
from skdeepenc.backbones.transformers.size_walk import follow_image_size
from skdeepenc.backbones.transformers.tokens import TokenLayout, with_class_tokens

#: As it was exported, for its own size.
OWN = "own"
#: With fully connected heads as convolutions.
DENSE = "dense"
#: With what was frozen of the image size as inputs.
SIZED = "sized"
# A process that goes through many models must not keep them all.
MAX_SURGERIES = 8
# No lock, as for parsed models: two threads may both operate, to the same end.
_SURGERIES: OrderedDict[Any, "Surgery"] = OrderedDict()


@dataclass(frozen=True)
class Surgery:
    """A graph without its weights, in the forms that sizes of images want.

    Attributes
    ----------
    skeletons : dict of str to onnx.ModelProto
        The graph as OWN, DENSE and, of a transformer, SIZED; class tokens are tensors of each.
    layouts : dict of str to TokenLayout
        Where the patches stand among the tokens of a tensor.
    feeds : dict of str to (SizeVector, PositionTable or Nothing)
        What the SIZED graph reads beside pixels.
    problems : dict of str to str
        Tensors that the SIZED graph cannot make at other sizes, and why.
    patch : (int, int) or None
        Height and width of a transformer's patch.
    takes_batches : bool
        Whether nothing was seen that holds a transformer to one image at a time.
    """

    skeletons: dict[str, onnx.ModelProto]
    layouts: dict[str, TokenLayout]
    feeds: dict[str, Any]
    problems: dict[str, str]
    patch: tuple[int, int] | None
    takes_batches: bool


def known_surgery(digest, skeleton, size, batch=1):
    """Make the forms of a graph, unless this process has done so before.

    Parameters
    ----------
    digest : str
        Stands for the model's content.
    skeleton : onnx.ModelProto
        Its graph without its weights.
    size : int or (int, int)
        Side of the images that it was made for, or height and width.
    batch : int, default=1
        The number of images that it was made for.

    Returns
    -------
    Surgery
        Its forms; whoever cuts them copies.
    """
    surgery = _SURGERIES.get((digest, size))
    if surgery is None:
        surgery = _SURGERIES[digest, size] = operate(skeleton, size, batch)
        while len(_SURGERIES) > MAX_SURGERIES:
            _SURGERIES.popitem(last=False)
    return surgery


def operate(skeleton, size, batch=1):
    """Make the forms of a graph.

    Parameters
    ----------
    skeleton : onnx.ModelProto
        A graph without its weights.
    size : int or (int, int)
        Side of the images that it was made for, or height and width.
    batch : int, default=1
        The number of images that it was made for.

    Returns
    -------
    Surgery
        Its forms.
    """
    own = free_reshapes(skeleton, size, batch)
    dense = densify(own, size, batch)
    sized = follow_image_size(dense, size)
    if sized is None:
        return Surgery({OWN: own, DENSE: dense}, {}, {}, {}, None, True)
    forms = {OWN: own, DENSE: dense, SIZED: sized.skeleton}
    skeletons = {form: with_class_tokens(graph, sized.layouts) for form, graph in forms.items()}
    return Surgery(
        skeletons, sized.layouts, sized.feeds, sized.problems, sized.patch, sized.takes_batches
    )
