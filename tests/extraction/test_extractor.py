"""What comes out of the extractor: maps of the views, layers and types that were asked for."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from onnx import helper
from PIL import Image
from sklearn.base import clone

from skdeepenc.backbones import ModelSpec, write_spec
from skdeepenc.exceptions import LayerNotFoundError
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.images import Crops, Preprocessing, Pyramid, Whole, Windows
from skdeepenc.maps import FeatureMaps


def warped(image, side):
    square = Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(square) / 255


def cell_sums(pixels):
    """The tiny network's conv2, by the loop."""
    rows, columns = pixels.shape[0] // 4, pixels.shape[1] // 4
    sums = np.zeros((rows, columns, 5))
    for row in range(rows):
        for column in range(columns):
            cell = pixels[4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
            red, green, blue = cell.sum(axis=(0, 1))
            sums[row, column] = red, green, blue, red, 0
    return sums


def test_maps_are_the_network_on_the_warped_image(model, images):
    maps = ActivationExtractor(model).fit_transform(images)
    assert isinstance(maps, FeatureMaps)
    assert maps.layers == ("conv2",)
    assert maps.dtype == np.float32
    for found, image in zip(maps, images, strict=True):
        assert_allclose(found["conv2"][0], cell_sums(warped(image, 16)), rtol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 3, 32])
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_nothing_depends_on_the_batch(model, images, batch_size, n_jobs):
    views = Pyramid(n_scales=3, aspect="keep")
    expected = ActivationExtractor(model, views=views).fit_transform(images)
    maps = ActivationExtractor(
        model, views=views, batch_size=batch_size, n_jobs=n_jobs
    ).fit_transform(images)
    assert_array_equal(maps.grid("conv2"), expected.grid("conv2"))
    assert_allclose(maps.values("conv2"), expected.values("conv2"), rtol=1e-5)


def test_every_size_of_a_pyramid_is_a_scale(model, images):
    maps = ActivationExtractor(model, views=Pyramid(n_scales=3, ratio=2.0)).fit_transform(images)
    assert maps.n_scales == 3
    assert_array_equal(maps.grid("conv2")[0], [[4, 4], [8, 8], [16, 16]])
    assert_allclose(maps[1]["conv2"][2], cell_sums(warped(images[1], 64)), rtol=1e-5)


def test_kept_aspect_gives_maps_of_the_images_shape(model, images):
    views = Pyramid(n_scales=1, aspect="keep")
    maps = ActivationExtractor(model, views=views).fit_transform(images)
    assert_array_equal(maps.grid("conv2")[:3, 0], [[4, 4], [4, 6], [6, 4]])


@pytest.mark.parametrize("pool", ["avg", "max"])
def test_a_window_is_a_descriptor(model, images, pool):
    views = Windows(image_size=32, sizes=(32, 16), stride=8, pool=pool)
    maps = ActivationExtractor(model, views=views).fit_transform(images)
    assert_array_equal(maps.grid("conv2")[0], [[1, 1], [3, 3]])
    corner = cell_sums(warped(images[0], 32)[16:, 16:])
    expected = corner.mean(axis=(0, 1)) if pool == "avg" else corner.max(axis=(0, 1))
    assert_allclose(maps[0]["conv2"][1][2, 2], expected, rtol=1e-5)


def test_crops_are_descriptors_of_one_scale(model, images):
    maps = ActivationExtractor(model, views=Crops(image_size=20)).fit_transform(images)
    assert_array_equal(maps.grid("conv2")[0], [[10, 1]])


def test_several_layers_come_from_one_pass_in_the_order_asked_for(model, images):
    maps = ActivationExtractor(model, layers=["conv1", "conv2"]).fit_transform(images)
    assert maps.layers == ("conv1", "conv2")
    assert_allclose(maps[3]["conv1"][0], warped(images[3], 16), rtol=1e-6)


def test_layers_are_counted_from_the_end_too(model, images):
    assert ActivationExtractor(model, layers=-1).fit(images).layers_ == ("conv2",)
    assert ActivationExtractor(model, layers=[0, "rgb"]).fit(images).layers_ == ("conv1", "rgb")


def test_rgb_lies_on_the_grid_of_the_deepest_layer(model, images):
    extractor = ActivationExtractor(model, layers=["conv1", "conv2", "rgb"])
    maps = extractor.fit_transform(images)
    assert maps.layers == ("conv1", "conv2", "rgb")
    assert_array_equal(maps.grid("rgb"), maps.grid("conv2"))
    cells = maps[0]["conv2"][0][:, :, :3] / 16
    assert_allclose(maps[0]["rgb"][0], cells, atol=1 / 255)


def test_float16_halves_the_maps(model, images):
    full = ActivationExtractor(model).fit_transform(images)
    half = ActivationExtractor(model, dtype="float16").fit_transform(images)
    assert half.dtype == np.float16
    assert 2 * half.nbytes == full.nbytes
    assert_allclose(half.values("conv2"), full.values("conv2"), rtol=1e-3)


@pytest.mark.parametrize(("floor_pooling", "side"), [(False, 8), (True, 7)])
def test_a_models_description_may_round_pooling_down(images, floor_pooling, side):
    node = helper.make_node(
        "MaxPool", ["x"], ["pool"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1
    )
    ends = [helper.make_tensor_value_info(name, 1, ["n", 3, "h", "w"]) for name in ("x", "pool")]
    graph = helper.make_graph([node], "rounding", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    write_spec(model, ModelSpec("rounding", ("pool",), 16, floor_pooling=floor_pooling))
    maps = ActivationExtractor(model.SerializeToString()).fit_transform(images)
    assert_array_equal(maps.grid("pool")[0], [[side, side]])


def test_preprocessing_replaces_the_models_own(model, images):
    doubled = Preprocessing(mean=(0, 0, 0), std=(0.5, 0.5, 0.5))
    maps = ActivationExtractor(model, preprocessing=doubled).fit_transform(images)
    expected = ActivationExtractor(model).fit_transform(images)
    assert_allclose(maps.values("conv2"), 2 * expected.values("conv2"), rtol=1e-5)


def test_a_given_description_replaces_the_models_own(model, images):
    doubled = Preprocessing(mean=(0, 0, 0), std=(0.5, 0.5, 0.5))
    spec = ModelSpec("mine", ("conv1",), 20, doubled)
    extractor = clone(ActivationExtractor(model, spec=spec))
    maps = extractor.fit_transform(images)
    assert maps.layers == ("conv1",)
    assert_array_equal(maps.grid("conv1")[0], [[20, 20]])
    whole = ActivationExtractor(model, layers="conv1", views=Whole(20)).fit_transform(images)
    assert_allclose(maps.values("conv1"), 2 * whole.values("conv1"), rtol=1e-5)


def test_images_are_seen_as_the_description_says_unless_asked_otherwise(model, images):
    plain = Preprocessing(mean=(0, 0, 0), std=(1, 1, 1))
    spec = ModelSpec("mine", ("conv2",), 16, plain, fit="crop", crop_fraction=0.8)
    asked = Whole(fit="crop", crop_fraction=0.8)
    for views, expected in ((None, asked), (Whole(), Whole())):
        described = ActivationExtractor(model, spec=spec, views=views).fit_transform(images)
        as_asked = ActivationExtractor(model, views=expected).fit_transform(images)
        assert_array_equal(described.values("conv2"), as_asked.values("conv2"))


def test_progress_is_shown_when_asked_for(model, images, capsys):
    extractor = ActivationExtractor(model).fit(images)
    extractor.transform(images)
    assert capsys.readouterr().err == ""
    extractor.set_params(verbose=2).transform(images)
    assert "12/12" in capsys.readouterr().err


@pytest.mark.parametrize(
    "parameters",
    [
        {"dtype": "float64"},
        {"batch_size": 0},
        {"n_components": 0},
        {"on_error": "ignore"},
        {"views": "pyramid"},
        {"preprocessing": {"mean": 0}},
        {"spec": {"name": "mine"}},
        {"memory": 3},
        {"n_threads": 0},
        {"layers": "rgb"},
        {"views": Whole(size=-1)},
        {"views": Crops(image_size=8)},
        {"views": Windows(sizes=(512,))},
    ],
)
def test_impossible_parameters_are_refused_in_fit(model, images, parameters):
    with pytest.raises(ValueError, match=f"{next(iter(parameters))}|size"):
        ActivationExtractor(model, **parameters).fit(images)


def test_unknown_layers_name_the_nearest(model, images):
    with pytest.raises(LayerNotFoundError, match="conv2"):
        ActivationExtractor(model, layers="conv3").fit(images)
