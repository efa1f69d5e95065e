"""The network inside the package is as small, as dense and as good as it says."""

import os
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image
from sklearn.preprocessing import normalize

from skdeepenc.backbones import Backbone, read_spec
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.images import Preprocessing

FOLDER = Path(__file__).parents[1] / "skdeepenc" / "backbones" / "embedded"
MODEL = FOLDER / "model.onnx"
LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "pool5", "fc6", "fc7")


@pytest.fixture(scope="module")
def backbone():
    return Backbone("embedded", layers=LAYERS, n_threads=1)


@pytest.fixture
def images():
    folder = os.environ.get("SKDEEPENC_DATA")
    if folder is None:
        pytest.skip("SKDEEPENC_DATA is not set")
    return Path(folder) / "images"


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(size=(1, 3, 112, 88)).astype(np.float32)


def test_the_file_is_small_and_has_a_card():
    assert MODEL.stat().st_size <= 8e6
    assert "licence" in (FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8").lower()


def test_weights_are_stored_in_half_precision():
    weights = [array for array in onnx.load(MODEL).graph.initializer if "half" in array.name]
    assert len(weights) == 22  # a weight and a bias for each of eleven convolutions
    assert {array.data_type for array in weights} == {onnx.TensorProto.FLOAT16}


def test_the_file_describes_itself():
    spec = read_spec(onnx.load(MODEL))
    assert (spec.name, spec.input_size, spec.layers) == ("embedded", 64, ("fc7",))
    assert spec.preprocessing == Preprocessing()
    assert spec.licence
    assert spec.source


def test_layers_carry_alexnets_names(backbone):
    assert set(LAYERS) <= {layer.name for layer in backbone.layer_info}


def test_fully_connected_layers_see_the_whole_image_at_its_own_size(backbone):
    maps = backbone.run(np.zeros((2, 3, 64, 64), dtype=np.float32))
    assert maps["fc6"].shape == maps["fc7"].shape == (2, 1, 1, 512)


@pytest.mark.parametrize("size", [(64, 64), (80, 64), (97, 131)])
def test_the_last_two_convolutions_share_a_grid(backbone, size):
    maps = backbone.run(np.zeros((1, 3, *size), dtype=np.float32))
    assert maps["conv4"].shape == maps["conv5"].shape


def windows_of(image, grid):
    """Cut the 64-pixel windows that the positions of fc6 stand for."""
    return np.concatenate(
        [
            image[:, :, 16 * row : 16 * row + 64, 16 * column : 16 * column + 64]
            for row in range(grid[0])
            for column in range(grid[1])
        ]
    )


def test_windows_lie_sixteen_pixels_apart(backbone, image):
    maps = backbone.run(image)
    assert maps["fc6"].shape[1:3] == maps["fc7"].shape[1:3] == (4, 2)


@pytest.mark.real_data
def test_a_larger_photograph_gives_about_what_its_windows_give(backbone, images):
    """Not exactly: the convolutions pad, and a window sees zeros where the photograph goes on."""
    own, every = [], []
    for path in sorted((images / "flowers17").glob("c*/*.jpg"))[::270]:
        with Image.open(path) as file:
            pixels = np.asarray(file.convert("RGB").resize((160, 160)))
        image = Preprocessing().to_tensor(pixels[np.newaxis])
        dense = backbone.run(image)["fc7"][0]
        apart = backbone.run(windows_of(image, dense.shape))["fc7"]
        cosines = normalize(dense.reshape(-1, 512)) @ normalize(apart.reshape(-1, 512)).T
        own.append(cosines.diagonal().mean())
        every.append(cosines.mean())
    assert np.mean(own) > 0.9
    assert np.mean(every) < 0.75


@pytest.mark.real_data
def test_it_recognises_images_that_it_was_not_trained_on(images):
    with zipfile.ZipFile(images / "tiny_imagenet_val.zip") as archive:
        names = sorted(name for name in archive.namelist() if not name.endswith("/"))[::5]
        contents = [archive.read(name) for name in names]
    labels = np.unique([Path(name).parts[-2] for name in names], return_inverse=True)[1]
    scores = ActivationExtractor(layers="logits").fit_transform(contents).values("logits")
    assert np.mean(scores.argmax(axis=1) == labels) > 0.52  # its card says 52.7 % of all
