import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from skdeepenc.backbones import ModelSpec, write_spec
from skdeepenc.exceptions import (
    ImageBatchError,
    ImageWarning,
    LayerNotFoundError,
    NonFiniteError,
    NotEnoughMemoryError,
)
from skdeepenc.extraction import ActivationExtractor, backbone_runs, memory_check
from skdeepenc.images import Crops, Preprocessing, Pyramid, Whole, Windows
from skdeepenc.maps import FeatureMaps


class MeanOfMaps(TransformerMixin, BaseEstimator):
    """The least encoder: the mean of each image's descriptors, to some power."""

    def __init__(self, power=1.0):
        self.power = power

    def fit(self, X, y=None):
        self.layer_ = X.layers[-1]
        return self

    def transform(self, X):
        segments = np.split(X.values(self.layer_), X.offsets(self.layer_)[1:-1])
        means = np.array([rows.mean(axis=0) for rows in segments])
        return means.reshape(len(X), -1) ** self.power


def warped(picture, side):
    image = Image.fromarray(picture).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(image) / 255


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


# --- What comes out --------------------------------------------------------------------------


def test_maps_are_the_network_on_the_warped_image(model, pictures):
    maps = ActivationExtractor(model).fit_transform(pictures)
    assert isinstance(maps, FeatureMaps)
    assert maps.layers == ("conv2",)
    assert maps.dtype == np.float32
    for image, picture in zip(maps, pictures, strict=True):
        assert_allclose(image["conv2"][0], cell_sums(warped(picture, 16)), rtol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 3, 32])
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_nothing_depends_on_the_batch(model, pictures, batch_size, n_jobs):
    views = Pyramid(n_scales=3, aspect="keep")
    expected = ActivationExtractor(model, views=views).fit_transform(pictures)
    maps = ActivationExtractor(
        model, views=views, batch_size=batch_size, n_jobs=n_jobs
    ).fit_transform(pictures)
    assert_array_equal(maps.grid("conv2"), expected.grid("conv2"))
    assert_allclose(maps.values("conv2"), expected.values("conv2"), rtol=1e-5)


def test_every_size_of_a_pyramid_is_a_scale(model, pictures):
    maps = ActivationExtractor(model, views=Pyramid(n_scales=3, ratio=2.0)).fit_transform(pictures)
    assert maps.n_scales == 3
    assert_array_equal(maps.grid("conv2")[0], [[4, 4], [8, 8], [16, 16]])
    assert_allclose(maps[1]["conv2"][2], cell_sums(warped(pictures[1], 64)), rtol=1e-5)


def test_kept_aspect_gives_maps_of_the_pictures_shape(model, pictures):
    views = Pyramid(n_scales=1, aspect="keep")
    maps = ActivationExtractor(model, views=views).fit_transform(pictures)
    assert_array_equal(maps.grid("conv2")[:3, 0], [[4, 4], [4, 6], [6, 4]])


@pytest.mark.parametrize("pool", ["avg", "max"])
def test_a_window_is_a_descriptor(model, pictures, pool):
    views = Windows(image_size=32, sizes=(32, 16), stride=8, pool=pool)
    maps = ActivationExtractor(model, views=views).fit_transform(pictures)
    assert_array_equal(maps.grid("conv2")[0], [[1, 1], [3, 3]])
    corner = cell_sums(warped(pictures[0], 32)[16:, 16:])
    expected = corner.mean(axis=(0, 1)) if pool == "avg" else corner.max(axis=(0, 1))
    assert_allclose(maps[0]["conv2"][1][2, 2], expected, rtol=1e-5)


def test_crops_are_descriptors_of_one_scale(model, pictures):
    maps = ActivationExtractor(model, views=Crops(image_size=20)).fit_transform(pictures)
    assert_array_equal(maps.grid("conv2")[0], [[10, 1]])


def test_several_layers_come_from_one_pass_in_the_order_asked_for(model, pictures):
    maps = ActivationExtractor(model, layers=["conv1", "conv2"]).fit_transform(pictures)
    assert maps.layers == ("conv1", "conv2")
    assert_allclose(maps[3]["conv1"][0], warped(pictures[3], 16), rtol=1e-6)


def test_layers_are_counted_from_the_end_too(model, pictures):
    assert ActivationExtractor(model, layers=-1).fit(pictures).layers_ == ("conv2",)
    assert ActivationExtractor(model, layers=[0, "rgb"]).fit(pictures).layers_ == ("conv1", "rgb")


def test_rgb_lies_on_the_grid_of_the_deepest_layer(model, pictures):
    extractor = ActivationExtractor(model, layers=["conv1", "conv2", "rgb"])
    maps = extractor.fit_transform(pictures)
    assert maps.layers == ("conv1", "conv2", "rgb")
    assert_array_equal(maps.grid("rgb"), maps.grid("conv2"))
    cells = maps[0]["conv2"][0][:, :, :3] / 16
    assert_allclose(maps[0]["rgb"][0], cells, atol=1 / 255)


def test_float16_halves_the_maps(model, pictures):
    full = ActivationExtractor(model).fit_transform(pictures)
    half = ActivationExtractor(model, dtype="float16").fit_transform(pictures)
    assert half.dtype == np.float16
    assert 2 * half.nbytes == full.nbytes
    assert_allclose(half.values("conv2"), full.values("conv2"), rtol=1e-3)


def test_preprocessing_replaces_the_models_own(model, pictures):
    doubled = Preprocessing(mean=(0, 0, 0), std=(0.5, 0.5, 0.5))
    maps = ActivationExtractor(model, preprocessing=doubled).fit_transform(pictures)
    expected = ActivationExtractor(model).fit_transform(pictures)
    assert_allclose(maps.values("conv2"), 2 * expected.values("conv2"), rtol=1e-5)


def test_a_layer_of_unknown_shape_is_measured(pictures):
    """A slice whose end only the pixels tell: two channels."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMax", ["pixels"], ["most"], keepdims=0),
            helper.make_node("Mul", ["most", "nought"], ["nothing"]),
            helper.make_node("Add", ["nothing", "two"], ["end"]),
            helper.make_node("Cast", ["end"], ["whole"], to=TensorProto.INT64),
            helper.make_node("Reshape", ["whole", "one"], ["ends"]),
            helper.make_node("Slice", ["pixels", "start", "ends", "one"], ["cut"]),
        ],
        "unknown",
        [helper.make_tensor_value_info("pixels", 1, ["n", 3, 16, 16])],
        [helper.make_tensor_value_info("cut", 1, ["n", "channels", "h", "w"])],
        [
            numpy_helper.from_array(np.float32(0), "nought"),
            numpy_helper.from_array(np.float32(2), "two"),
            numpy_helper.from_array(np.array([1]), "one"),
            numpy_helper.from_array(np.array([0]), "start"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    write_spec(model, ModelSpec("unknown", ("cut",), 16))
    maps = ActivationExtractor(model.SerializeToString()).fit_transform(pictures)
    assert maps.n_channels("cut") == 2
    assert_array_equal(maps.grid("cut")[0], [[16, 16]])


# --- Projection ------------------------------------------------------------------------------


@pytest.mark.filterwarnings("error")
def test_components_are_those_of_the_descriptors(model, pictures):
    raw = ActivationExtractor(model).fit_transform(pictures).values("conv2")
    extractor = ActivationExtractor(model, n_components=2, random_state=0)
    projected = extractor.fit_transform(pictures).values("conv2")
    assert projected.shape == (len(raw), 2)
    centred = raw - raw.mean(axis=0)
    _, _, components = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
    expected = centred @ components[:2].T
    assert_allclose(np.abs(projected), np.abs(expected), rtol=1e-3, atol=1e-3)


def test_rgb_is_not_projected(model, pictures):
    extractor = ActivationExtractor(model, layers=["conv2", "rgb"], n_components=1, random_state=0)
    maps = extractor.fit_transform(pictures)
    assert (maps.n_channels("conv2"), maps.n_channels("rgb")) == (1, 3)
    assert list(extractor.get_feature_names_out()) == ["conv2_0", "rgb_0", "rgb_1", "rgb_2"]


def test_the_seed_decides_the_projection(model, pictures):
    first, second = (
        ActivationExtractor(model, n_components=2, random_state=3).fit_transform(pictures)
        for _ in range(2)
    )
    assert_array_equal(first.values("conv2"), second.values("conv2"))


# --- Images in every form --------------------------------------------------------------------


def test_every_form_of_an_image_gives_the_same_maps(model, pictures, paths):
    extractor = ActivationExtractor(model).fit(paths)
    expected = extractor.transform(paths).values("conv2")
    contents = []
    for path in paths:
        with open(path, "rb") as file:
            contents.append(file.read())
    forms = [
        np.array(paths),
        np.array(paths, dtype=object),
        np.array(paths)[:, None],
        contents,
        pictures,
        [picture / 255 for picture in pictures],
        [Image.fromarray(picture) for picture in pictures],
    ]
    for form in forms:
        assert_allclose(extractor.transform(form).values("conv2"), expected, rtol=1e-5)


def test_a_batch_of_pictures_is_one_array(model):
    batch = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    extractor = ActivationExtractor(model).fit(batch)
    assert len(extractor.transform(batch)) == 4
    assert len(extractor.transform(batch[..., 0])) == 4  # grey


def test_a_column_of_a_table_is_a_list_of_paths(model, paths):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"path": paths})
    extractor = ActivationExtractor(model).fit(table)
    assert len(extractor.transform(table["path"])) == len(extractor.transform(table)) == len(paths)


@pytest.mark.parametrize(
    ("X", "reason"),
    [
        ("a.jpg", "single image"),
        (b"content", "single image"),
        (Image.new("RGB", (4, 4)), "single image"),
        (np.zeros((16, 16, 3)), "single image"),
        (np.zeros((16, 16)), "rows of numbers"),
        (np.zeros(16), "rows of numbers"),
        ([], "0 samples"),
        (np.zeros((0, 16, 16, 3)), "0 samples"),
    ],
)
def test_what_is_no_list_of_images_says_so(model, X, reason):
    with pytest.raises(ValueError, match=reason):
        ActivationExtractor(model).fit(X)


# --- Bad images ------------------------------------------------------------------------------


@pytest.fixture
def bad_paths(tmp_path, paths):
    """Good and bad in turn."""
    contents = {"empty.jpg": b"", "text.jpg": b"no image", "cut.png": None, "bomb.png": None}
    with open(paths[0], "rb") as file:
        whole = file.read()
    contents["cut.png"] = whole[: len(whole) // 2]
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content or b"")
    bad = [str(tmp_path / name) for name in ("absent.jpg", "empty.jpg", "text.jpg", "cut.png")]
    return [path for pair in zip(bad, paths[:4], strict=True) for path in pair]


@pytest.mark.parametrize("with_cache", [False, True])
def test_one_error_lists_every_bad_image(model, tmp_path, bad_paths, with_cache):
    memory = tmp_path / "cache" if with_cache else None
    extractor = ActivationExtractor(model, memory=memory, batch_size=2).fit(bad_paths)
    with pytest.raises(ImageBatchError) as caught:
        extractor.transform(bad_paths)
    assert list(caught.value.failures) == bad_paths[::2]
    reasons = ["no such file", "empty", "not an image", "damaged or cut off"]
    for path, reason in zip(bad_paths[::2], reasons, strict=True):
        assert reason in caught.value.failures[path]
        assert path in str(caught.value)
    if with_cache:
        assert backbone_runs(memory) == 4


@pytest.mark.parametrize("with_cache", [False, True])
def test_bad_images_can_be_left_without_descriptors(model, tmp_path, bad_paths, with_cache):
    memory = tmp_path / "cache" if with_cache else None
    extractor = ActivationExtractor(model, memory=memory, on_error="warn").fit(bad_paths)
    with pytest.warns(ImageWarning, match=r"4 images could not be read"):
        maps = extractor.transform(bad_paths)
    assert len(maps) == 8
    assert_array_equal(maps.grid("conv2")[:, 0], [[0, 0], [4, 4]] * 4)
    good = ActivationExtractor(model).fit_transform(bad_paths[1::2])
    assert_allclose(maps.values("conv2"), good.values("conv2"), rtol=1e-6)


@pytest.mark.parametrize("with_cache", [False, True])
def test_images_may_all_be_bad(model, tmp_path, bad_paths, with_cache):
    memory = tmp_path / "cache" if with_cache else None
    extractor = ActivationExtractor(model, memory=memory, on_error="warn").fit(bad_paths)
    with pytest.warns(ImageWarning):
        maps = extractor.transform(bad_paths[::2])
    assert maps.shape == (4,)
    assert maps.values("conv2").shape == (0, 5)


def test_arrays_are_named_by_their_position(model, pictures):
    extractor = ActivationExtractor(model).fit(pictures)
    with pytest.raises(ImageBatchError, match=r"image 1 \(array of shape \(5,\)\)"):
        extractor.transform([pictures[0], np.zeros(5)])


def test_bad_images_do_not_spoil_the_projection(model, bad_paths):
    extractor = ActivationExtractor(model, n_components=2, on_error="warn")
    with pytest.warns(ImageWarning, match="4 images"):
        extractor.fit(bad_paths)
    with pytest.warns(ImageWarning, match="4 images"):
        assert extractor.transform(bad_paths).n_channels("conv2") == 2


def test_nothing_but_bad_images_is_an_error(model, bad_paths):
    extractor = ActivationExtractor(model, n_components=2, on_error="warn")
    with pytest.raises(ImageBatchError):
        extractor.fit(bad_paths[::2])


def test_infinity_is_named_with_its_image_and_layer(model, paths):
    endless = Preprocessing(mean=(0, 0, 0), std=(1, 1, 1), scale=1e36)
    extractor = ActivationExtractor(model, preprocessing=endless).fit(paths)
    with pytest.raises(NonFiniteError, match=r"'conv2' on .*00\.png hold NaN or infinity"):
        extractor.transform(paths)


def test_values_beyond_float16_are_named(model, paths):
    large = Preprocessing(mean=(0, 0, 0), std=(1, 1, 1), scale=1e3)
    extractor = ActivationExtractor(model, preprocessing=large, dtype="float16").fit(paths)
    with pytest.raises(NonFiniteError, match="too large for float16"):
        extractor.transform(paths)


def test_a_run_that_will_not_fit_is_refused_before_it_starts(model, pictures, monkeypatch):
    monkeypatch.setattr(memory_check, "available_memory", lambda: 12 * 16 * 5 * 4 - 1)
    extractor = ActivationExtractor(model).fit(pictures)
    monkeypatch.setattr(extractor.backbone_, "run", None)  # would fail if it were called
    with pytest.raises(NotEnoughMemoryError, match=r"memory=.*n_components=.*float16"):
        extractor.transform(pictures)


def test_the_estimate_is_the_size_of_the_maps(model, pictures, monkeypatch):
    estimates = []
    monkeypatch.setattr(memory_check, "available_memory", lambda: None)
    views = Pyramid(n_scales=3)
    extractor = ActivationExtractor(model, layers=["conv1", "conv2", "rgb"], views=views)
    monkeypatch.setattr("skdeepenc.extraction.runner.check_room", estimates.append)
    maps = extractor.fit_transform(pictures)
    assert_allclose(estimates, maps.nbytes, rtol=0.02)


def test_progress_is_shown_when_asked_for(model, pictures, capsys):
    extractor = ActivationExtractor(model).fit(pictures)
    extractor.transform(pictures)
    assert capsys.readouterr().err == ""
    extractor.set_params(verbose=2).transform(pictures)
    assert "12/12" in capsys.readouterr().err


# --- Parameters ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [
        {"dtype": "float64"},
        {"batch_size": 0},
        {"n_components": 0},
        {"on_error": "ignore"},
        {"views": "pyramid"},
        {"preprocessing": {"mean": 0}},
        {"memory": 3},
        {"n_threads": 0},
        {"layers": "rgb"},
        {"views": Whole(size=-1)},
        {"views": Crops(image_size=8)},
        {"views": Windows(sizes=(512,))},
    ],
)
def test_impossible_parameters_are_refused_in_fit(model, pictures, parameters):
    with pytest.raises(ValueError, match=f"{next(iter(parameters))}|size"):
        ActivationExtractor(model, **parameters).fit(pictures)


def test_unknown_layers_name_the_nearest(model, pictures):
    with pytest.raises(LayerNotFoundError, match="conv2"):
        ActivationExtractor(model, layers="conv3").fit(pictures)


# --- scikit-learn ----------------------------------------------------------------------------


def test_check_estimator_has_no_failures(model):
    """Images are no 2-D data, so scikit-learn skips, and says so; the tests below take over."""
    with pytest.warns(SkipTestWarning, match="ActivationExtractor"):
        results = check_estimator(ActivationExtractor(model))
    assert not [result for result in results if result["status"] == "failed"]


def test_it_must_be_fitted_first(model, pictures):
    with pytest.raises(NotFittedError):
        ActivationExtractor(model).transform(pictures)


def test_clone_keeps_parameters_and_nothing_else(model, pictures):
    extractor = ActivationExtractor(model, views=Pyramid(n_scales=2), n_components=3).fit(pictures)
    copy = clone(extractor)
    assert copy.get_params(deep=False).keys() == extractor.get_params(deep=False).keys()
    assert copy.views.n_scales == 2
    assert copy.views is not extractor.views
    assert not hasattr(copy, "backbone_")


def test_views_are_reached_by_name(model):
    extractor = ActivationExtractor(model, views=Pyramid())
    extractor.set_params(views__n_scales=3)
    assert extractor.views.n_scales == 3
    assert extractor.get_params()["views__n_scales"] == 3


def test_fit_and_transform_change_no_parameter(model, pictures):
    extractor = ActivationExtractor(model)
    before = extractor.get_params()
    state = vars(extractor.fit(pictures)).copy()
    extractor.transform(pictures)
    assert extractor.get_params() == before
    assert vars(extractor) == state


def test_a_pickled_extractor_gives_the_same_maps(model, pictures):
    extractor = ActivationExtractor(model, n_components=2, random_state=0).fit(pictures)
    copy = pickle.loads(pickle.dumps(extractor))
    assert_array_equal(
        copy.transform(pictures).values("conv2"), extractor.transform(pictures).values("conv2")
    )


def test_a_pipeline_may_ask_for_tables(model, pictures):
    labels = np.arange(len(pictures)) % 2
    pipeline = make_pipeline(ActivationExtractor(model), MeanOfMaps(), LogisticRegression())
    pipeline[:1].set_output(transform="pandas")
    pipeline.fit(pictures, labels)
    assert pipeline.predict(pictures).shape == (12,)


@pytest.mark.parametrize("with_cache", [False, True])
def test_a_pipeline_remembers_maps(model, pictures, tmp_path, with_cache, monkeypatch):
    memory = tmp_path / "cache" if with_cache else None
    extractor = ActivationExtractor(model, memory=memory)
    pipeline = make_pipeline(
        extractor, MeanOfMaps(), LogisticRegression(), memory=str(tmp_path / "steps")
    )
    labels = np.arange(len(pictures)) % 2
    expected = pipeline.fit(pictures, labels).predict_proba(pictures)
    monkeypatch.setattr(ActivationExtractor, "fit_transform", None)  # what is remembered
    assert_array_equal(pipeline.fit(pictures, labels).predict_proba(pictures), expected)


def test_grid_search_reaches_views_in_worker_processes(model, tmp_path, paths):
    memory = tmp_path / "cache"
    pipeline = make_pipeline(
        ActivationExtractor(model, views=Pyramid(n_scales=1), memory=memory),
        MeanOfMaps(),
        LogisticRegression(),
    )
    grid = {"activationextractor__views__n_scales": [1, 2], "meanofmaps__power": [0.5, 1.0]}
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2, error_score="raise")
    search.fit(np.array(paths), np.arange(len(paths)) % 2)
    assert search.cv_results_["params"][-1]["activationextractor__views__n_scales"] == 2
    assert backbone_runs(memory) == 2 * len(paths)  # once for each pyramid, whatever the folds
