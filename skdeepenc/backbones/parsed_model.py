"""What parsing tells of a model, remembered by its content.

Every clone of an estimator opens its model again. Reading and checking AlexNet's 240 MB takes a
second, and what is left of it without its weights a few kilobytes: so that is done once a process.
"""

from collections import OrderedDict
from typing import NamedTuple

import onnx

from skdeepenc.backbones.describing.metadata import read_spec
from skdeepenc.backbones.describing.spec import ModelSpec
from skdeepenc.backbones.files.check import check_model
from skdeepenc.backbones.files.contents import known_digest, read_contents
from skdeepenc.backbones.graphs.skeleton import without_weights
from skdeepenc.backbones.surgery.entrance import Entrance, open_entrance

# A process that goes through many models must not keep them all.
MAX_MODELS = 8
SMALL_FILE = 1 << 25
# No lock: a child that was forked while another thread held it would wait forever. Two threads
# may both parse a model, to the same end.
_MODELS: OrderedDict[str, "ParsedModel"] = OrderedDict()


class ParsedModel(NamedTuple):
    """A model without its weights; surgery copies the skeleton and never changes it.

    Attributes
    ----------
    digest : str
        Digest of the content, weights beside the file included.
    skeleton : onnx.ModelProto
        The graph, which takes images alone.
    entrance : Entrance
        What it took before.
    closed : dict of str to str
        Tensors that cannot be computed from images alone, and the input that each needs.
    spec : ModelSpec or None
        What the file says of itself.
    data : bytes or None
        The file, where it is small: its sessions need not read it again.
    """

    digest: str
    skeleton: onnx.ModelProto
    entrance: Entrance
    closed: dict[str, str]
    spec: ModelSpec | None
    data: bytes | None

    @property
    def declared_size(self):
        """The image size that the graph was made for, or None if it is free."""
        return self.entrance.size


def recall_model(digest):
    """Return what this process has parsed under a digest, or None."""
    return _MODELS.get(digest)


def parse_model(source, expected=None):
    """Read and check a model, unless this process has done so before.

    Parameters
    ----------
    source : bytes or path-like
        An ONNX file, or its content.
    expected : str, optional
        The digest that it must have.

    Returns
    -------
    ParsedModel
        The graph without its weights, what it takes, and its description.

    Raises
    ------
    ModelError
        If it is not ONNX, is damaged, asks for what is not run, or is another model than expected.
    """
    parsed = recall_model(expected or known_digest(source))
    if parsed is None:
        contents = read_contents(source, expected)
        parsed = recall_model(contents.digest) or _parse(contents, isinstance(source, bytes))
        _MODELS[contents.digest] = parsed
        while len(_MODELS) > MAX_MODELS:
            _MODELS.popitem(last=False)
    return parsed


def _parse(contents, is_at_hand):
    check_model(contents.model, contents.name)
    skeleton, entrance, closed = open_entrance(without_weights(contents.model))
    kept = contents.data if not is_at_hand and len(contents.data) <= SMALL_FILE else None
    spec = read_spec(contents.model)
    return ParsedModel(contents.digest, skeleton, entrance, closed, spec, kept)
