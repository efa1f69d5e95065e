"""What one must know of a model beside its graph, as one small record.

A graph says how numbers flow, not which pixels it was trained on. The record comes from the
catalogue, from the metadata of the ONNX file, or from the user.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Self

from skdeepenc.exceptions import ModelError
from skdeepenc.images.preprocessing import Preprocessing
from skdeepenc.images.sizes import one_size

#: The key of an ONNX file's metadata under which the record lies, as JSON.
METADATA_KEY = "skdeepenc"


@dataclass(frozen=True)
class ModelSpec:
    """What a model is called, takes and offers.

    Parameters
    ----------
    name : str
        What to call the model.
    layers : tuple of str
        The tensors that are extracted when none are asked for, from shallow to deep; none of them
        means the last map before the head.
    input_size : int or (int, int)
        Size, in pixels, of the images that the model was trained on: the side of a square, or
        (height, width). Equal sides are kept as one number.
    preprocessing : Preprocessing
        What is done to pixels before the network sees them.
    patch_size : int, optional
        Side of a patch of a vision transformer, in pixels; None for convolutional networks.
    source : str, optional
        Where the file comes from.
    sha256 : str, optional
        Digest of the file.
    licence : str, optional
        Licence of the weights.
    floor_pooling : bool, default=False
        Whether pooling drops borders that do not fill a window, whatever the graph says. The papers
        count AlexNet's descriptors so, on images of 227 pixels and more.

    Raises
    ------
    ModelError
        If a value makes no sense.

    Examples
    --------
    >>> from skdeepenc.backbones import ModelSpec
    >>> from skdeepenc.images import Preprocessing
    >>> spec = ModelSpec("mine", ("conv5", "fc7"), 227, Preprocessing())
    >>> ModelSpec.from_json(spec.to_json()) == spec
    True
    """

    name: str
    layers: tuple[str, ...]
    input_size: int | tuple[int, int]
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    patch_size: int | None = None
    source: str | None = None
    sha256: str | None = None
    licence: str | None = None
    floor_pooling: bool = False

    def __post_init__(self):
        # Lists come from JSON; only tuples can be hashed and compared.
        object.__setattr__(self, "layers", tuple(self.layers))
        if isinstance(self.preprocessing, Mapping):
            object.__setattr__(
                self, "preprocessing", Preprocessing.from_dict(dict(self.preprocessing))
            )
        if not isinstance(self.preprocessing, Preprocessing):
            raise ModelError(f"preprocessing is a Preprocessing, not {self.preprocessing!r}.")
        object.__setattr__(self, "input_size", _checked_size(self.input_size))
        if self.patch_size is not None and not _is_side(self.patch_size):
            raise ModelError(
                f"patch_size of a model is a positive number of pixels, not {self.patch_size!r}."
            )
        if not isinstance(self.floor_pooling, bool):
            raise ModelError(f"floor_pooling of a model is a bool, not {self.floor_pooling!r}.")
        if not all(isinstance(layer, str) for layer in self.layers):
            raise ModelError(f"layers of a model are names of tensors, not {self.layers!r}.")

    def to_json(self):
        """Write the record as JSON.

        Returns
        -------
        str
            The record, without the fields that are not set.
        """
        record = {**asdict(self), "preprocessing": self.preprocessing.to_dict()}
        return json.dumps({key: value for key, value in record.items() if value is not None})

    @classmethod
    def from_json(cls, text) -> Self:
        """Read a record that `to_json` wrote.

        Parameters
        ----------
        text : str
            The JSON.

        Returns
        -------
        ModelSpec
            The record.

        Raises
        ------
        ModelError
            If the text is no such record.
        """
        try:
            record = json.loads(text)
            known = {entry.name for entry in fields(cls)}
            return cls(**{key: value for key, value in record.items() if key in known})
        except (TypeError, ValueError, AttributeError) as error:
            raise ModelError(f"A model's description cannot be read: {error}") from error


def _is_side(value):
    return isinstance(value, int) and value > 0


def _checked_size(size):
    """Return an input size as one number or (height, width), or refuse it."""
    sides = size if isinstance(size, tuple | list) else (size, size)
    if len(sides) != 2 or not all(map(_is_side, sides)):
        raise ModelError(
            "input_size of a model is a positive number of pixels, or (height, width), not "
            f"{size!r}."
        )
    return one_size(sides)


def read_spec(model):
    """Return the record in a model's metadata, or None if it has none.

    Parameters
    ----------
    model : onnx.ModelProto
        A parsed model.

    Returns
    -------
    ModelSpec or None
        What the file says of itself.

    Examples
    --------
    >>> import onnx
    >>> from skdeepenc.backbones import read_spec
    >>> read_spec(onnx.ModelProto()) is None
    True
    """
    for entry in model.metadata_props:
        if entry.key == METADATA_KEY:
            return ModelSpec.from_json(entry.value)
    return None


def write_spec(model, spec):
    """Put the record into a model's metadata, in place, so that the file describes itself.

    Parameters
    ----------
    model : onnx.ModelProto
        A parsed model; save it afterwards with `onnx.save`.
    spec : ModelSpec
        What to say of it.

    Examples
    --------
    >>> import onnx
    >>> from skdeepenc.backbones import ModelSpec, read_spec, write_spec
    >>> model = onnx.ModelProto()
    >>> write_spec(model, ModelSpec("mine", ("conv5",), 227))
    >>> read_spec(model).layers
    ('conv5',)
    """
    others = [entry for entry in model.metadata_props if entry.key != METADATA_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(others)
    model.metadata_props.add(key=METADATA_KEY, value=spec.to_json())
