"""Images prepared as a configuration says equal those of the library that it is from.

Needs timm, transformers and torchvision; `tests/images` holds tensors that they made for everybody.
"""

import json

import numpy as np
import pytest
from PIL import Image

from skdeepenc.backbones import ModelSpec
from skdeepenc.images import Network

IMAGES = [(301, 447), (517, 333), (256, 256)]


def image_of(height, width):
    """Draw smooth noise: what filters and crops do to it is seen everywhere."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(256, size=(height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def prepared(spec, image):
    numbers = spec.preprocessing
    network = Network(spec.input_size, None, numbers.interpolation, numbers.fill)
    (pieces,) = spec.view.cut(image, spec.view.plan(image, network))
    return numbers.to_tensor(pieces)[0]


@pytest.mark.parametrize("size", IMAGES)
@pytest.mark.parametrize("mode", ["center", "squash", "border"])
@pytest.mark.parametrize(
    "config",
    [
        {"input_size": (3, 224, 224), "crop_pct": 0.95, "interpolation": "bicubic"},
        {"input_size": (3, 106, 106), "crop_pct": 0.875, "interpolation": "bilinear"},
        {"input_size": (3, 256, 128), "crop_pct": 1.0, "interpolation": "bilinear"},
    ],
    ids=str,
)
def test_timm(config, mode, size):
    data = pytest.importorskip("timm.data")
    config = {**config, "crop_mode": mode}
    transform = data.create_transform(**data.resolve_data_config(pretrained_cfg=config))
    image = image_of(*size)
    expected = transform(image).numpy()
    np.testing.assert_allclose(prepared(ModelSpec.from_timm(config), image), expected, atol=1e-5)


@pytest.mark.parametrize("size", IMAGES)
@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("ViT", {}),
        ("ViT", {"size": {"height": 256, "width": 128}}),
        ("Bit", {"size": {"shortest_edge": 256}}),
        ("CLIP", {}),
        ("DeiT", {}),
        ("Siglip", {}),
        ("ConvNext", {"size": {"shortest_edge": 224}}),
        ("ConvNext", {"size": {"shortest_edge": 384}}),
        ("Levit", {}),
        ("PoolFormer", {}),
        ("MobileNetV2", {}),
        ("MobileViT", {"size": {"shortest_edge": 288}}),
        ("EfficientNet", {}),
        ("EfficientNet", {"rescale_offset": True, "rescale_factor": 1 / 127.5}),
        ("LayoutLMv2", {"apply_ocr": False}),
    ],
)
def test_transformers(family, changes, size):
    transformers = pytest.importorskip("transformers")
    name = f"{family}ImageProcessor"
    kind = getattr(transformers, f"{name}Pil", None) or getattr(transformers, name)
    processor, image = kind(**changes), image_of(*size)
    expected = processor(image, return_tensors="np")["pixel_values"][0]
    spec = ModelSpec.from_huggingface(json.loads(processor.to_json_string()))
    np.testing.assert_allclose(prepared(spec, image), expected, atol=1e-5)
