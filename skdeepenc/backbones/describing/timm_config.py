"""Read what timm says of a model: its `pretrained_cfg`.

timm resizes to ``size / crop_pct`` and keeps the centre. Its three modes are our three fits:
"center" keeps the proportions and crops, "squash" warps, "border" pads.
"""

import warnings
from collections.abc import Mapping

from skdeepenc.exceptions import ModelError, ModelWarning
from skdeepenc.images.preprocessing import Preprocessing
from skdeepenc.images.sizes import one_size

FITS = {"center": "crop", "squash": "warp", "border": "pad"}
# What timm supposes where a configuration says nothing.
_DEFAULTS = {
    "input_size": (3, 224, 224),
    "interpolation": "bicubic",
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
    "crop_pct": 0.875,
    "crop_mode": "center",
}


def as_mapping(config, what):
    """Return a configuration as a dictionary, whether it is one or an object that holds it."""
    if hasattr(config, "to_dict"):
        config = config.to_dict()
    elif not isinstance(config, Mapping) and hasattr(config, "__dict__"):
        config = vars(config)
    if not isinstance(config, Mapping):
        raise ModelError(f"{what} is a dictionary, not {type(config).__name__}.")
    return dict(config)


def timm_fields(config):
    """Return the fields of a `ModelSpec` that timm's configuration tells of.

    Parameters
    ----------
    config : mapping or object
        A model's `pretrained_cfg`, or what `timm.data.resolve_model_data_config` returns.

    Returns
    -------
    dict
        Fields by name; layers are not among what timm tells.
    """
    known = as_mapping(config, "A pretrained_cfg of timm")
    config = {
        **_DEFAULTS,
        **{key: value for key, value in known.items() if value not in (None, "")},
    }
    if config["crop_mode"] not in FITS:
        raise ModelError(
            f"crop_mode of timm is one of {sorted(FITS)}, not {config['crop_mode']!r}."
        )
    unmet = ["crop_border_pixels"] if config.get("crop_border_pixels") else []
    if config["crop_pct"] > 1:
        unmet.append(f"crop_pct={config['crop_pct']}, a black border")
    warn_of_unmet("timm's configuration", unmet)
    hub_name = config.get("hf_hub_id", "").rstrip("/")
    return {
        "name": _name(config),
        "layers": (),
        "input_size": _input_size(config["input_size"]),
        "preprocessing": Preprocessing(
            mean=per_channel(config["mean"]),
            std=per_channel(config["std"]),
            interpolation=config["interpolation"],
        ),
        "source": f"https://huggingface.co/{hub_name}" if "/" in hub_name else None,
        "licence": config.get("license"),
        "fit": FITS[config["crop_mode"]],
        "crop_fraction": min(float(config["crop_pct"]), 1.0),
        "decoding": "full",
    }


def warn_of_unmet(who, demands):
    """Say what of a configuration is not followed, once for all of it."""
    if demands:
        warnings.warn(
            f"{who} asks for {', '.join(demands)}, which skdeepenc does not do; features may "
            "differ from those of the model's authors.",
            ModelWarning,
            stacklevel=4,
        )


def per_channel(value):
    """Return one number for each channel; one for all is repeated."""
    numbers: tuple[float, ...] = (value,) if isinstance(value, int | float) else tuple(value)
    return numbers * 3 if len(numbers) == 1 else numbers


def _input_size(size):
    """Return height and width of a size that may begin with channels."""
    return size if isinstance(size, int) else one_size(tuple(size)[-2:])


def _name(config):
    parts = [config.get("architecture"), config.get("tag")]
    return ".".join(part for part in parts if part) or "timm"
