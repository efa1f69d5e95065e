"""From 8-bit pixels to the numbers that a network was trained on.

Every model has its own convention. One small record holds it, so that it can stand in a catalogue,
in the metadata of an ONNX file and in a cache key.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from skdeepenc.images.plans import FILTERS

CHANNEL_ORDERS = ("RGB", "BGR")


@dataclass(frozen=True)
class Preprocessing:
    """What a network wants done to RGB pixels: ``(pixel * scale - mean) / std``.

    The defaults are torchvision's: pixels in [0, 1], mean and deviation of ImageNet.

    Parameters
    ----------
    mean : tuple of float, default=(0.485, 0.456, 0.406)
        What is subtracted from each scaled channel, in the order in which the network sees them.
    std : tuple of float, default=(0.229, 0.224, 0.225)
        What each channel is then divided by, in the same order.
    channel_order : {"RGB", "BGR"}, default="RGB"
        The order of the network's input channels; networks from Caffe take blue first.
    scale : float, default=1/255
        What the pixels, 0 to 255, are multiplied with first.
    interpolation : str, default="bilinear"
        How images are resampled to the sizes of the views, by Pillow's filter of that name:
        "bilinear", "bicubic", "lanczos", "box", "hamming" or "nearest".

    Raises
    ------
    ValueError
        If a value is not finite, a deviation or the scale is not positive, or the order or the
        interpolation is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.images import Preprocessing
    >>> caffe = Preprocessing(mean=(104, 117, 123), std=(1, 1, 1), channel_order="BGR", scale=1)
    >>> red = np.full((1, 2, 2, 3), [255, 0, 0], dtype=np.uint8)
    >>> caffe.to_tensor(red)[0, :, 0, 0].tolist()
    [-104.0, -117.0, 132.0]
    """

    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    channel_order: str = "RGB"
    scale: float = 1 / 255
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        # Lists from JSON and arrays from users become what can be hashed and compared.
        for name in ("mean", "std"):
            object.__setattr__(self, name, _three_floats(name, getattr(self, name)))
        object.__setattr__(self, "scale", float(self.scale))
        if self.channel_order not in CHANNEL_ORDERS:
            raise ValueError(f"channel_order must be 'RGB' or 'BGR', not {self.channel_order!r}.")
        if self.interpolation not in FILTERS:
            raise ValueError(
                f"interpolation must be one of {', '.join(FILTERS)}, not {self.interpolation!r}."
            )
        if not all(np.isfinite(value) and value > 0 for value in (*self.std, self.scale)):
            raise ValueError(
                f"std and scale must be positive and finite, not {self.std} and {self.scale}."
            )

    @property
    def fill(self) -> tuple[int, ...]:
        """The colour, as RGB bytes, that becomes zero or nearly so: what padding is made of."""
        colour = np.rint(np.clip(np.divide(self.mean, self.scale), 0, 255)).astype(int).tolist()
        return tuple(colour if self.channel_order == "RGB" else reversed(colour))

    def to_tensor(
        self, images: NDArray[np.uint8], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Turn a batch of images into the network's input.

        Parameters
        ----------
        images : array of shape (n, height, width, 3), uint8
            RGB images of one size.
        out : array of shape (n, 3, height, width), float32, optional
            Where to write the tensor.

        Returns
        -------
        array of shape (n, 3, height, width), float32
            The normalised channels, in the network's order.
        """
        images = np.asarray(images)
        if out is None:
            n_images, height, width, _ = images.shape
            out = np.empty((n_images, 3, height, width), dtype=np.float32)
        source = images if self.channel_order == "RGB" else images[..., ::-1]
        for channel in range(3):
            plane = out[:, channel]
            np.multiply(source[..., channel], np.float32(self.scale / self.std[channel]), out=plane)
            plane -= np.float32(self.mean[channel] / self.std[channel])
        return out

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain values that JSON can hold.

        Returns
        -------
        dict
            The parameters by name.
        """
        record = asdict(self)
        return {**record, "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Make the record again from `to_dict`'s values.

        Parameters
        ----------
        record : dict
            Parameters by name; those that are missing take their defaults.

        Returns
        -------
        Preprocessing
            An equal record.
        """
        unknown = set(record) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(
                f"Preprocessing has no parameter {', '.join(sorted(unknown))}; it has mean, std, "
                "channel_order, scale and interpolation."
            )
        return cls(**record)


def _three_floats(name, values):
    """Return one finite number for each channel, as a tuple."""
    numbers = tuple(float(value) for value in values)
    if len(numbers) != 3 or not np.isfinite(numbers).all():
        raise ValueError(f"{name} needs three finite numbers, one per channel, not {values!r}.")
    return numbers
