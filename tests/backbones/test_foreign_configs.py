"""What timm and transformers say of a model becomes the same description here."""

import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skdeepenc.backbones import ModelSpec
from skdeepenc.exceptions import ModelError, ModelWarning

IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
HALVES = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}


def square(side):
    return {"height": side, "width": side}


def of_timm(**changes):
    return ModelSpec.from_timm({"input_size": (3, 224, 224), **changes})


def of_processor(family, **config):
    return ModelSpec.from_huggingface({"image_processor_type": f"{family}ImageProcessor", **config})


def geometry(spec):
    return spec.input_size, spec.fit, round(spec.crop_fraction, 6), spec.preprocessing.interpolation


def test_timm_says_nothing_and_its_defaults_hold():
    spec = of_timm()
    assert geometry(spec) == (224, "crop", 0.875, "bicubic")
    assert spec.preprocessing.mean == (0.485, 0.456, 0.406)


@pytest.mark.parametrize(
    ("mode", "fit"), [("center", "crop"), ("squash", "warp"), ("border", "pad"), (None, "crop")]
)
def test_modes_of_timm_are_fits(mode, fit):
    assert of_timm(crop_mode=mode, crop_pct=0.95).fit == fit


def test_timm_names_itself_and_its_terms():
    config = {
        "architecture": "resnet50",
        "tag": "a1_in1k",
        "hf_hub_id": "timm/resnet50.a1_in1k",
        "license": "apache-2.0",
        "classifier": "fc",
        "input_size": [3, 1024, 768],
        "interpolation": "bilinear",
        "mean": [0.5],
        "std": 0.25,
    }
    spec = ModelSpec.from_timm(types.SimpleNamespace(**config))
    assert spec == ModelSpec.from_timm(config)
    assert (spec.name, spec.licence) == ("resnet50.a1_in1k", "apache-2.0")
    assert spec.source == "https://huggingface.co/timm/resnet50.a1_in1k"
    assert spec.input_size == (1024, 768)
    assert spec.preprocessing.mean == (0.5, 0.5, 0.5)
    assert spec.preprocessing.std == (0.25, 0.25, 0.25)


def test_a_crop_larger_than_the_image_is_named():
    with pytest.warns(ModelWarning, match=r"crop_pct=1\.15"):
        assert of_timm(crop_pct=1.15).crop_fraction == 1


@pytest.mark.parametrize(
    ("family", "config", "expected"),
    [
        ("ViT", {"size": square(224), "resample": 2}, (224, "warp", 1, "bilinear")),
        ("ViT", {"size": 384, "resample": 3}, (384, "warp", 1, "bicubic")),
        ("ViT", {"size": {"height": 256, "width": 128}}, ((256, 128), "warp", 1, "bilinear")),
        (
            "Bit",  # DINOv2
            {"size": {"shortest_edge": 256}, "do_center_crop": True, "crop_size": square(224)},
            (224, "crop", 0.875, "bilinear"),
        ),
        (
            "CLIP",
            {"size": 224, "do_center_crop": True, "crop_size": 224, "resample": 3},
            (224, "crop", 1, "bicubic"),
        ),
        (
            "DeiT",  # warps first, crops then
            {"size": 256, "do_center_crop": True, "crop_size": 224, "resample": 3},
            (224, "warp", 0.875, "bicubic"),
        ),
        ("Siglip", {"size": square(384), "resample": 3}, (384, "warp", 1, "bicubic")),
        (
            "ConvNext",
            {"size": {"shortest_edge": 224}, "crop_pct": 0.95},
            (224, "crop", round(224 / 235, 6), "bilinear"),
        ),
        ("ConvNext", {"size": {"shortest_edge": 384}}, (384, "warp", 1, "bilinear")),
        (
            "Levit",
            {"size": {"shortest_edge": 224}, "do_center_crop": True, "crop_size": square(224)},
            (224, "crop", 0.875, "bilinear"),
        ),
        (
            "PoolFormer",
            {"size": 224, "crop_pct": 0.9, "do_center_crop": True, "crop_size": 224},
            (224, "crop", round(224 / 248, 6), "bilinear"),
        ),
        (
            "",
            {"size": 256, "do_center_crop": True, "crop_size": 224},
            (224, "crop", 0.875, "bilinear"),
        ),
    ],
)
def test_processors_of_transformers(family, config, expected):
    spec = of_processor(family, **config, **IMAGENET)
    assert geometry(spec) == expected
    assert ModelSpec.from_json(spec.to_json()) == spec


def test_old_and_fast_processors_are_the_same():
    config = {"size": 224, "do_center_crop": True, "crop_size": 224, **HALVES}
    names = ("CLIPImageProcessor", "CLIPImageProcessorFast", "CLIPFeatureExtractor")
    specs = {ModelSpec.from_huggingface({"image_processor_type": name, **config}) for name in names}
    old = ModelSpec.from_huggingface({"feature_extractor_type": names[2], **config})
    assert specs == {old}


def test_numbers_are_scaled_shifted_and_divided():
    config = {"size": square(8), **HALVES}
    assert of_processor("ViT", **config).preprocessing.scale == pytest.approx(1 / 255)
    assert of_processor("ViT", **config, do_rescale=False).preprocessing.scale == 1
    assert of_processor("ViT", **config, rescale_factor=0.5).preprocessing.scale == 0.5
    for nothing in (False, None):
        plain = of_processor("ViT", **config, do_normalize=nothing).preprocessing
        assert (plain.mean, plain.std) == ((0, 0, 0), (1, 1, 1))


def test_efficientnet_divides_twice():
    config = {"size": square(8), "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    assert of_processor("EfficientNet", **config).preprocessing.std == (0.0625,) * 3
    once = of_processor("EfficientNet", **config, include_top=False, rescale_offset=True)
    assert once.preprocessing.std == (0.25,) * 3
    assert once.preprocessing.mean == (1.5,) * 3


def test_mobilevit_sees_blue_first():
    spec = of_processor("MobileViT", size=square(256), do_flip_channel_order=True, **HALVES)
    assert spec.preprocessing.channel_order == "BGR"
    assert spec.preprocessing.std == (1, 1, 1)


def test_who_wrote_it_decides_how_halves_are_rounded():
    assert of_timm().rounding == "even"
    assert of_processor("ViT", size=8).rounding == "down"
    assert of_timm().decoding == of_processor("ViT", size=8).decoding == "full"


def test_wrapped_configurations_are_found():
    timm = {"architecture": "resnet18", "pretrained_cfg": {"input_size": [3, 160, 160]}}
    assert ModelSpec.from_huggingface(timm).input_size == 160
    both = {"processor_class": "CLIPProcessor", "image_processor": {"size": square(32)}}
    assert ModelSpec.from_huggingface(both).input_size == 32

    class Processor:
        def to_dict(self):
            return {"size": square(48)}

    assert ModelSpec.from_huggingface(Processor()).input_size == 48


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"size": square(8), "do_thumbnail": True}, "do_thumbnail"),
        ({"size": square(8), "max_num_patches": 256}, "max_num_patches"),
        ({"size": square(8), "do_resize": False}, "do_resize=false"),
        ({"size": {"shortest_edge": 8}}, "aspect='keep'"),
        ({"size": {"longest_edge": 8}, "do_pad": True}, "right and the bottom"),
        ({"size": square(8), "do_center_crop": True, "crop_size": 9}, "a crop of 9 from only 8"),
    ],
)
def test_what_is_not_done_is_named(config, named):
    with pytest.warns(ModelWarning, match=named):
        assert of_processor("", **config).input_size in (8, 9)


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({}, "size=None"),
        ({"max_num_patches": 256}, "max_num_patches"),
        ({"size": {"shortest_edge": 800, "longest_edge": 1333}}, "1333"),
        ({"size": square(8), "do_normalize": True}, "image_mean"),
        ({"size": square(8), "resample": 9}, "resample"),
        ({"size": square(8), "resample": "cubic"}, "cubic"),
        ({"size": square(-8)}, "positive"),
        ({"size": "large"}, "size"),
        ({"size": square(8), "image_mean": [0, 0], "image_std": [1, 1]}, "three"),
        ({"size": square(8), "image_mean": ["a"] * 3, "image_std": [1] * 3}, "cannot be followed"),
        ({"size": square(8), "rescale_factor": 0}, "positive"),
        ({"size": {"longest_edge": 9}, "image_processor_type": "ConvNextImageProcessor"}, "9"),
    ],
)
def test_what_cannot_be_followed_is_an_error(config, named):
    with pytest.raises(ModelError, match=named):
        ModelSpec.from_huggingface(config)


@pytest.mark.parametrize(
    "config",
    [{"crop_mode": "corner"}, {"input_size": "x"}, {"crop_pct": 0}, {"mean": [1] * 2}, 7, []],
)
def test_configurations_of_timm_that_make_no_sense(config):
    with pytest.raises(ModelError):
        ModelSpec.from_timm(config)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
EDGES = ("height", "width", "shortest_edge", "longest_edge")
SIZES = st.dictionaries(st.sampled_from(EDGES), st.integers(0, 500) | JSON)
KEYS = ("do_center_crop", "do_normalize", "rescale_factor", "resample", "crop_pct", "image_std")


@pytest.mark.filterwarnings("ignore::skdeepenc.exceptions.ModelWarning")
@given(
    st.fixed_dictionaries(
        {"size": SIZES | JSON},
        optional={"crop_size": SIZES | JSON, **dict.fromkeys((*KEYS, "image_mean"), JSON)},
    ),
    st.sampled_from(["ViT", "ConvNext", "PoolFormer", "Levit", "EfficientNet", ""]),
)
def test_whatever_a_file_says_is_followed_or_refused(config, family):
    """By an error of ours, never by one of Python's."""
    try:
        spec = of_processor(family, **config)
    except ModelError:
        return
    assert ModelSpec.from_json(spec.to_json()) == spec
    spec.view.check(spec.input_size)
