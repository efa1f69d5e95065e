"""What parsing tells of a model, remembered by its content.

Every clone of an estimator opens its model anew. Reading and checking AlexNet's 240 MB takes a
second, and what is left of it without its weights a few kilobytes: so that is done once a process.
"""

from collections import OrderedDict
from typing import NamedTuple

import onnx

from skdeepenc.backbones.entrance import Entrance, open_entrance
from skdeepenc.backbones.graph import without_weights
from skdeepenc.backbones.metadata import read_spec
from skdeepenc.backbones.model_file import read_model
from skdeepenc.backbones.spec import ModelSpec

# A process that goes through many models must not keep them all.
MAX_MODELS = 8
# No lock: a child that was forked while another thread held it would wait for ever. Two threads
# may both parse a model, to the same end.
_MODELS: OrderedDict = OrderedDict()


class ParsedModel(NamedTuple):
    """A model without its weights; surgery copies the husk and never changes it.

    Attributes
    ----------
    husk : onnx.ModelProto
        The graph, which takes images alone.
    entrance : Entrance
        What it took before.
    closed : dict of str to str
        Tensors that cannot be computed from images alone, and the input that each needs.
    spec : ModelSpec or None
        What the file says of itself.
    """

    husk: onnx.ModelProto
    entrance: Entrance
    closed: dict
    spec: ModelSpec | None

    @property
    def declared_size(self):
        """The image size that the graph was made for, or None if it is free."""
        return self.entrance.size


def parse_model(source, digest):
    """Read and check a model, unless this process has done so before.

    Parameters
    ----------
    source : bytes or path-like
        An ONNX file, or its content.
    digest : str
        What `content_digest` says of it now.

    Returns
    -------
    ParsedModel
        The graph without its weights, what it takes, and its description.

    Raises
    ------
    ModelError
        If it is no ONNX, is damaged, or asks for what is not run.
    """
    parsed = _MODELS.get(digest)
    if parsed is None:
        model = read_model(source)
        parsed = _parse(model)
        _MODELS[digest] = parsed
        while len(_MODELS) > MAX_MODELS:
            _MODELS.popitem(last=False)
    return parsed


def _parse(model):
    husk, entrance, closed = open_entrance(without_weights(model))
    return ParsedModel(husk, entrance, closed, read_spec(model))
