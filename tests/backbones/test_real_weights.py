"""Networks that were trained: what they say of their layers, and that they still classify."""

import os
from pathlib import Path

import numpy as np
import pytest

from skdeepenc.backbones import Backbone, ModelSpec
from skdeepenc.images import Preprocessing

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def weights():
    folder = os.environ.get("SKDEEPENC_DATA")
    if not folder or not (Path(folder) / "weights").is_dir():
        pytest.skip("SKDEEPENC_DATA names no folder with weights")
    return Path(folder) / "weights"


@pytest.fixture(scope="module")
def squeezenet(weights):
    caffe = Preprocessing(mean=(104, 117, 123), std=(1, 1, 1), channel_order="BGR", scale=1)
    layers = (*(f"fire{n}/concat" for n in range(2, 10)), "conv10_relu")
    spec = ModelSpec("squeezenet", layers, 227, caffe)
    return Backbone(weights / "squeezenet1_0_deepcomp.onnx", spec=spec, n_threads=1)


def test_squeezenet_layers(squeezenet, pixels):
    maps = squeezenet.run(pixels(1, 227, 227))
    channels = [128, 128, 256, 256, 384, 384, 512, 512, 1000]
    sides = [55, 55, 55, 27, 27, 27, 27, 13, 15]  # pooling rounds up; conv10 pads by one
    found = {layer.name: layer for layer in squeezenet.layer_info}
    for layer, n_channels, side in zip(squeezenet.layers, channels, sides, strict=True):
        assert maps[layer].shape == (1, side, side, n_channels)
        assert found[layer].channels == n_channels
        assert found[layer].grid == (side, side)
    assert [found[name].stride for name in ("fire2/concat", "fire9/concat")] == [4, 16]


def test_squeezenet_of_one_image_is_that_of_a_batch(squeezenet, pixels):
    images = pixels(3, 160, 200)
    together = squeezenet.run(images)["fire9/concat"]
    alone = squeezenet.run(images[1:2])["fire9/concat"]
    np.testing.assert_allclose(together[1], alone[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "layer", "side", "channels"),
    [
        ("mobilenet_v1_0.25_128_quant_float", "L26_conv_2d", 128, 256),
        ("mobilenet_v2_1.0_224_quant_float", "L61_conv_2d", 224, 1280),
    ],
)
def test_mobilenets(name, layer, side, channels, weights, pixels):
    spec = ModelSpec(name, (layer,), side)
    backbone = Backbone(weights / f"{name}.onnx", spec=spec, n_threads=1)
    assert backbone.run(pixels(2, side, side))[layer].shape == (2, side // 32, side // 32, channels)
    assert backbone.run(pixels(1, side, side + 64))[layer].shape[2] == side // 32 + 2
