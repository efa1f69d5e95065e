"""Read what transformers says of a model: its `preprocessor_config.json`.

Every family of models has a processor of its own, which reads the same words in its own way. What
can be said in our words is said; numbers that cannot be are an error, and what else is asked for
is named in a warning.
"""

from skdeepenc.backbones.describing.timm_config import (
    as_mapping,
    per_channel,
    timm_fields,
    warn_of_unmet,
)
from skdeepenc.exceptions import ModelError
from skdeepenc.images.preprocessing import Preprocessing
from skdeepenc.images.sizes import one_size

#: Pillow's codes, under which configurations name an interpolation.
RESAMPLE = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
# Families whose size, where it is one number, is that of the shorter edge; of others, a square's.
_SHORTEST_EDGE = {
    *("bit", "bridgetower", "chineseclip", "clip", "convnext", "levit", "mobilenetv1"),
    *("mobilenetv2", "mobilevit", "poolformer", "vilt"),
}
# ConvNeXt's processor crops below this side, and warps from it on.
_CONVNEXT_WARPS_FROM = 384
# What needs no doing: pixels are RGB anyway, and nobody asks for labels or for equal batches.
_HARMLESS = {
    *("do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb"),
    *("do_flip_channel_order", "do_pad", "do_reduce_labels", "do_convert_annotations"),
}
_DEMANDS = {
    *("crop_to_patches", "image_grid_pinpoints", "keep_aspect_ratio", "max_image_tiles"),
    *("max_num_patches", "max_patches", "max_pixels", "min_pixels", "size_divisor", "tile_size"),
}


def huggingface_fields(config):
    """Return the fields of a `ModelSpec` that a preprocessor's configuration tells of.

    Parameters
    ----------
    config : mapping or object
        The content of a `preprocessor_config.json`, or an image processor of transformers.

    Returns
    -------
    dict
        Fields by name; layers are not among what it tells.
    """
    config = as_mapping(config, "A preprocessor's configuration")
    if "image_processor" in config:  # a processor of images and text
        config = as_mapping(config["image_processor"], "image_processor")
    if "pretrained_cfg" in config:  # transformers wraps a model of timm
        return timm_fields({"architecture": config.get("architecture"), **config["pretrained_cfg"]})
    config = _without_nulls(config)
    family = _family(config)
    unmet = [key for key in sorted(config) if config[key] and _is_demand(key)]
    input_size, fit, crop_fraction = _geometry(config, family, unmet)
    preprocessing = Preprocessing(
        **_numbers(config, family),
        channel_order="BGR" if _is_blue_first(config, family) else "RGB",
        interpolation=_interpolation(config.get("resample", 2)),
    )
    warn_of_unmet(f"The preprocessor of {family or 'the model'}", unmet)
    return {
        "name": family or "huggingface",
        "layers": (),
        "input_size": input_size,
        "preprocessing": preprocessing,
        "fit": fit,
        "crop_fraction": crop_fraction,
        "rounding": "down",
        "decoding": "full",
    }


def _without_nulls(config):
    """Leave out what is null, which asks for nothing: what is to be done is then not done."""
    undone = {key: False for key, value in config.items() if value is None and key[:3] == "do_"}
    return {key: value for key, value in config.items() if value is not None} | undone


def _family(config):
    """Return the model family whose processor this is, in small letters."""
    name = config.get("image_processor_type") or config.get("feature_extractor_type") or ""
    for ending in ("Fast", "Pil", "ImageProcessor", "FeatureExtractor", "ImageFeatureExtractor"):
        name = name.removesuffix(ending)
    return name.lower()


def _is_blue_first(config, family):
    """Tell whether the channels are turned around; LayoutLMv2 never says so."""
    return config.get("do_flip_channel_order", family == "layoutlmv2")


def _is_demand(key):
    return key in _DEMANDS or (key.startswith("do_") and key not in _HARMLESS)


def _geometry(config, family, unmet):
    """Return the input size, the fit and the crop fraction; add to `unmet` what they are not."""
    size = _size(config.get("size"), family, config)
    crop = _size(config.get("crop_size"), "", {}) if config.get("do_center_crop") else {}
    if not config.get("do_resize", True):
        unmet.append("do_resize=false")
        size = crop or size
    if family == "convnext":
        return _convnext(size, config.get("crop_pct", 224 / 256))
    if set(size) == {"longest_edge"}:
        return _padded(size["longest_edge"], config, unmet)
    if set(size) == {"shortest_edge"}:
        return _shorter_edge(_widened(size["shortest_edge"], family, config), crop, unmet)
    if set(size) == {"height", "width"}:
        if family == "poolformer" and "crop_pct" in config:
            return _shorter_edge(int(size["height"] / config["crop_pct"]), crop, unmet)
        return _square(size, crop, unmet)
    demands = ", ".join([f"size={config.get('size')!r}", *unmet])
    raise ModelError(
        f"A preprocessor that asks for {demands} has no single input size; give "
        "preprocessing=Preprocessing(...), and views=Pyramid(n_scales=1, base=..., aspect='keep') "
        "where images keep their proportions."
    )


def _size(size, family, config):
    """Return a size as a dictionary of edges, however it was written."""
    if size is None:
        return {}
    if isinstance(size, list | tuple) and len(size) == 2:
        size = {"height": size[0], "width": size[1]}
    if isinstance(size, int):
        square = config.get("default_to_square", family not in _SHORTEST_EDGE)
        if not family and config.get("do_center_crop"):
            square = False
        size = {"height": size, "width": size} if square else {"shortest_edge": size}
    edges = _without_nulls(as_mapping(size, "size"))
    if not all(isinstance(edge, int) and edge > 0 for edge in edges.values()):
        raise ModelError(f"A preprocessor's size is made of positive numbers, not {size!r}.")
    return edges


def _widened(edge, family, config):
    """Return the length to which the shorter edge really goes."""
    if family == "levit":
        return int(256 / 224 * edge)
    if family == "poolformer" and "crop_pct" in config:
        return int(edge / config["crop_pct"])
    return edge


def _convnext(size, crop_pct):
    side = size.get("shortest_edge") or size.get("height")
    if side is None:
        raise ModelError(f"ConvNeXt's preprocessor gives no shortest_edge: size={size!r}.")
    if side >= _CONVNEXT_WARPS_FROM:
        return side, "warp", 1.0
    return side, "crop", side / int(side / crop_pct)


def _padded(side, config, unmet):
    """Pad to a square; transformers does so at the right and the bottom, and to other sizes too."""
    pad = _size(config.get("pad_size"), "", {})
    if config.get("do_pad", True) and not set(pad.values()) - {side}:
        unmet.append("padding at the right and the bottom (it is put around the image)")
    else:
        unmet.append(f"a longer edge of {side} and no square around the image (one is made)")
    return side, "pad", 1.0


def _shorter_edge(edge, crop, unmet):
    if not crop:
        unmet.append(
            f"a shorter edge of {edge} and no crop (views=Pyramid(n_scales=1, aspect='keep') "
            "does it)"
        )
        return edge, "warp", 1.0
    return one_size(_sides(crop)), "crop", _fraction(min(_sides(crop)), edge, unmet)


def _square(size, crop, unmet):
    if not crop:
        return one_size(_sides(size)), "warp", 1.0
    fractions = {kept / whole for kept, whole in zip(_sides(crop), _sides(size), strict=True)}
    if len(fractions) > 1:
        unmet.append(f"a crop of {_sides(crop)} from {_sides(size)}, of other proportions")
    height, full_height = _sides(crop)[0], _sides(size)[0]
    return one_size(_sides(crop)), "warp", _fraction(height, full_height, unmet)


def _sides(size):
    if set(size) == {"shortest_edge"}:
        return size["shortest_edge"], size["shortest_edge"]
    if set(size) != {"height", "width"}:
        raise ModelError(f"A preprocessor's crop has a height and a width, not {size!r}.")
    return size["height"], size["width"]


def _fraction(kept, whole, unmet):
    if kept > whole:
        unmet.append(f"a crop of {kept} from only {whole} pixels")
    return min(kept / whole, 1.0)


def _numbers(config, family):
    """Return scale, mean and deviation of ``(pixel * scale - mean) / std``."""
    rescales = config.get("do_rescale", family != "layoutlmv2")
    scale = config.get("rescale_factor", 1 / 255) if rescales else 1.0
    mean, std = per_channel(0.0), per_channel(1.0)
    if config.get("do_normalize", "image_mean" in config and family != "mobilevit"):
        missing = {"image_mean", "image_std"} - set(config)
        if missing:
            raise ModelError(f"The preprocessor normalises, but gives no {sorted(missing)[0]}.")
        mean, std = per_channel(config["image_mean"]), per_channel(config["image_std"])
    if config.get("rescale_offset"):  # one more is subtracted before the mean is
        mean = tuple(value + 1 for value in mean)
    if family == "efficientnet" and config.get("include_top", True):  # divides a second time
        again = per_channel(config.get("image_std", 1.0))
        std = tuple(value * second for value, second in zip(std, again, strict=True))
    return {"scale": scale, "mean": mean, "std": std}


def _interpolation(resample):
    if isinstance(resample, str):
        return resample.lower()
    if not isinstance(resample, int) or not 0 <= resample < len(RESAMPLE):
        raise ModelError(f"resample is one of Pillow's codes, 0 to 5, not {resample!r}.")
    return RESAMPLE[resample]
