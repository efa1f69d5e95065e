import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from PIL import Image

from skdeepenc.backbones import ModelSpec, write_spec
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.images import Preprocessing, Pyramid


def tiny_network():
    """Two layers that can be computed by hand: pixel values, and their sums over 4 x 4 pixels.

    "conv1" is the identity on pixels in [0, 1]; "conv2" of shape (n, 5, H // 4, W // 4) sums one
    channel over every cell of 4 x 4 pixels: channels 0 to 2 red, green and blue, 3 and 4 red again
    with the sign changed and cut off at zero.
    """
    weights = np.zeros((5, 3, 4, 4), dtype=np.float32)
    for channel, (colour, sign) in enumerate([(0, 1), (1, 1), (2, 1), (0, 1), (0, -1)]):
        weights[channel, colour] = sign
    graph = helper.make_graph(
        [
            helper.make_node("Identity", ["pixels"], ["conv1"]),
            helper.make_node("Conv", ["conv1", "weights"], ["sums"], strides=[4, 4]),
            helper.make_node("Relu", ["sums"], ["conv2"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("pixels", 1, ["n", 3, 16, 16])],
        [helper.make_tensor_value_info("conv2", 1, ["n", 5, 4, 4])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    plain = Preprocessing(mean=(0, 0, 0), std=(1, 1, 1))
    write_spec(model, ModelSpec("tiny", ("conv2",), 16, plain))
    onnx.checker.check_model(model)
    return model.SerializeToString()


@pytest.fixture(scope="session")
def model():
    return tiny_network()


@pytest.fixture(scope="session")
def images():
    """Twelve small images of different shapes and colours."""
    rng = np.random.default_rng(0)
    sizes = [(16, 16), (20, 32), (32, 20), (40, 17)] * 3
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


@pytest.fixture
def paths(tmp_path, images):
    folder = tmp_path / "images"
    folder.mkdir()
    files = [folder / f"{number:02}.png" for number in range(len(images))]
    for file, image in zip(files, images, strict=True):
        Image.fromarray(image).save(file)
    return [str(file) for file in files]


@pytest.fixture
def memory(tmp_path):
    """Return the folder of a cache that is still empty."""
    return tmp_path / "cache"


@pytest.fixture
def extractor(model, memory):
    """Return an extractor with a cache."""
    return ActivationExtractor(
        model, memory=memory, views=Pyramid(n_scales=2), layers=["conv2", "rgb"]
    )


@pytest.fixture
def expected(model, paths):
    """Return what it extracts from all images, by one without."""
    extractor = ActivationExtractor(model, views=Pyramid(n_scales=2), layers=["conv2", "rgb"])
    return extractor.fit_transform(paths)
