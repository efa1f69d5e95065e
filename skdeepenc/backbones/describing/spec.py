"""What one must know of a model beside its graph, as one small record.

A graph says how numbers flow, not which pixels it was trained on. The record comes from the
catalogue, from the metadata of the ONNX file, or from the user.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from skdeepenc.backbones.describing.huggingface_config import huggingface_fields
from skdeepenc.backbones.describing.timm_config import timm_fields
from skdeepenc.exceptions import ModelError
from skdeepenc.images.preprocessing import Preprocessing
from skdeepenc.images.sizes import LARGEST_SIDE, one_size
from skdeepenc.images.views import Whole

# What `Whole` takes; see there.
_CHOICES = {
    "fit": ("warp", "crop", "pad"),
    "rounding": ("even", "down"),
    "decoding": ("fast", "full"),
}


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
    fit : {"warp", "crop", "pad"}, default="warp"
        How images of other proportions become that size, where no view is asked for; see
        `skdeepenc.images.Whole`.
    crop_fraction : float, default=1.0
        Which part of the resized image's sides is kept, the centre.
    rounding : {"even", "down"}, default="even"
        Where the centre falls between two pixels.
    decoding : {"fast", "full"}, default="fast"
        Whether JPEGs may be decoded to a smaller size at once, or every pixel as the authors did.

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
    fit: str = "warp"
    crop_fraction: float = 1.0
    rounding: str = "even"
    decoding: str = "fast"

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
        self._check_words()

    def _check_words(self):
        """Refuse what is not text, or none of the words that there are."""
        if not isinstance(self.name, str):
            raise ModelError(f"name of a model is text, not {self.name!r}.")
        for name in ("source", "sha256", "licence"):
            value = getattr(self, name)
            if not isinstance(value, str | None):
                raise ModelError(f"{name} of a model is text, not {value!r}.")
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise ModelError(
                    f"{name} of a model is one of {', '.join(choices)}, not {value!r}."
                )
        if not isinstance(self.crop_fraction, int | float) or not 0 < self.crop_fraction <= 1:
            raise ModelError(f"crop_fraction of a model is in (0, 1], not {self.crop_fraction!r}.")

    @property
    def view(self) -> Whole:
        """What the network sees of an image where nobody asks for another view."""
        return Whole(
            fit=self.fit,
            crop_fraction=self.crop_fraction,
            rounding=self.rounding,
            decoding=self.decoding,
        )

    def to_json(self) -> str:
        """Write the record as JSON.

        Returns
        -------
        str
            The record, without the fields that are not set.
        """
        record = {**asdict(self), "preprocessing": self.preprocessing.to_dict()}
        return json.dumps({key: value for key, value in record.items() if value is not None})

    @classmethod
    def from_json(cls, text: str) -> Self:
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
        except (TypeError, ValueError, AttributeError, RecursionError) as error:
            raise ModelError(f"A model's description cannot be read: {error}") from error

    @classmethod
    def from_timm(cls, pretrained_cfg: Mapping[str, Any] | object) -> Self:
        """Make the record from timm's configuration of a model.

        Parameters
        ----------
        pretrained_cfg : dict or object
            A model's `pretrained_cfg`, or what `timm.data.resolve_model_data_config` returns.

        Returns
        -------
        ModelSpec
            Its input size, preprocessing, fit and crop; no layers.

        Raises
        ------
        ModelError
            If the configuration cannot be followed.

        Examples
        --------
        >>> from skdeepenc.backbones import ModelSpec
        >>> spec = ModelSpec.from_timm(
        ...     {"input_size": (3, 256, 256), "interpolation": "bicubic", "crop_pct": 0.95}
        ... )
        >>> spec.input_size, spec.fit, spec.crop_fraction
        (256, 'crop', 0.95)
        """
        return cls._from_foreign(timm_fields, pretrained_cfg)

    @classmethod
    def from_huggingface(cls, preprocessor_config: Mapping[str, Any] | object) -> Self:
        """Make the record from the configuration of an image processor of transformers.

        Parameters
        ----------
        preprocessor_config : dict or object
            The content of a `preprocessor_config.json`, or the image processor itself.

        Returns
        -------
        ModelSpec
            Its input size, preprocessing, fit and crop; no layers.

        Raises
        ------
        ModelError
            If the configuration cannot be followed.

        Warns
        -----
        ModelWarning
            If it asks for something that is not done; the warning names it.

        Examples
        --------
        >>> from skdeepenc.backbones import ModelSpec
        >>> spec = ModelSpec.from_huggingface(
        ...     {
        ...         "image_processor_type": "BitImageProcessor",
        ...         "size": {"shortest_edge": 256},
        ...         "do_center_crop": True,
        ...         "crop_size": {"height": 224, "width": 224},
        ...         "resample": 3,
        ...         "image_mean": [0.485, 0.456, 0.406],
        ...         "image_std": [0.229, 0.224, 0.225],
        ...     }
        ... )
        >>> spec.input_size, spec.fit, spec.crop_fraction, spec.preprocessing.interpolation
        (224, 'crop', 0.875, 'bicubic')
        """
        return cls._from_foreign(huggingface_fields, preprocessor_config)

    @classmethod
    def _from_foreign(cls, read, config):
        """Make the record of what `read` finds in a configuration that others wrote."""
        try:
            return cls(**read(config))
        except ModelError:
            raise
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise ModelError(f"A model's configuration cannot be followed: {error}") from error


def _is_side(value):
    return isinstance(value, int) and 0 < value <= LARGEST_SIDE


def _checked_size(size):
    """Return an input size as one number or (height, width), or refuse it."""
    sides = size if isinstance(size, tuple | list) else (size, size)
    if len(sides) != 2 or not all(map(_is_side, sides)):
        raise ModelError(
            "input_size of a model is a positive number of pixels, or (height, width), and at most "
            f"{LARGEST_SIDE}, not {size!r}."
        )
    return one_size(sides)
