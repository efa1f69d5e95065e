"""FeatureMaps index like an array of images, copy nothing, and give back what went in."""

import pickle

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.model_selection import KFold, cross_val_score
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import indexable

from skdeepenc.exceptions import FeatureMapsError, NonFiniteError
from skdeepenc.maps import ArrayStore, FeatureMaps, Store, as_feature_maps


def assert_same_maps(left, right):
    assert left.layers == right.layers
    assert left.shape == right.shape
    for layer in left.layers:
        assert_array_equal(left.grid(layer), right.grid(layer))
        assert_array_equal(left.values(layer), right.values(layer))
        assert left.values(layer).dtype == right.values(layer).dtype


class StoreOnRequest(ArrayStore):
    """A store that behaves like files: counts what is read."""

    in_memory = False

    def __init__(self, values, grids):
        super().__init__(values, grids)
        self.n_rows_read = 0

    def read(self, layer, images, scales):
        rows = super().read(layer, images, scales)
        self.n_rows_read += len(rows)
        return rows


def test_an_image_comes_back_scale_by_scale(ragged_maps, ragged_images):
    for number, image in enumerate(ragged_images):
        for scale, expected in zip(ragged_maps[number]["features"], image, strict=False):
            assert_array_equal(scale, expected)
    assert [len(image["features"]) for image in ragged_maps] == [2] * 6


def test_a_scale_that_an_image_lacks_is_empty(ragged_maps):
    assert ragged_maps[2]["features"][1].shape == (0, 0, 3)
    assert_array_equal(ragged_maps.grid("features")[2], [[3, 2], [0, 0]])


def test_shape_layers_and_sizes(two_layers):
    assert len(two_layers) == 6
    assert two_layers.shape == (6,)
    assert two_layers.layers == ("conv4", "conv5")
    assert two_layers.n_scales == 2
    assert two_layers.n_channels("conv5") == 2
    assert two_layers.dtype == np.float32
    n_positions = two_layers.offsets("conv4")[-1]
    assert two_layers.nbytes == n_positions * (3 + 2) * 4


@pytest.mark.parametrize(
    ("key", "chosen"),
    [
        (slice(1, 5, 2), [1, 3]),
        (slice(None, None, -1), [5, 4, 3, 2, 1, 0]),
        ([4, 1], [4, 1]),
        ((4, 1), [4, 1]),
        (np.array([0, 0, 5]), [0, 0, 5]),
        (np.array([True, False, True, False, False, True]), [0, 2, 5]),
        ([True, False, True, False, False, True], [0, 2, 5]),
        (([2, 1], Ellipsis), [2, 1]),
        ((slice(0, 3), Ellipsis), [0, 1, 2]),
        ([], []),
        ([-1], [5]),
    ],
    ids=str,
)
def test_subsets_equal_the_chosen_images(two_layers, key, chosen):
    subset = two_layers[key]
    assert isinstance(subset, FeatureMaps)
    assert len(subset) == len(chosen)
    for image, number in zip(subset, chosen, strict=True):
        for layer in two_layers.layers:
            for left, right in zip(image[layer], two_layers[number][layer], strict=True):
                assert_array_equal(left, right)


def test_subsets_of_subsets(two_layers):
    assert_same_maps(two_layers[1:][[3, 0]], two_layers[[4, 1]])


@pytest.mark.parametrize("key", [6, [6], -7, [True, False]])
def test_images_that_are_not_there(ragged_maps, key):
    with pytest.raises(IndexError):
        ragged_maps[key]


def test_consecutive_images_are_not_copied(ragged_maps):
    whole = ragged_maps.values("features")
    assert np.shares_memory(whole, ragged_maps[1:4].values("features"))
    assert np.shares_memory(whole, ragged_maps[4]["features"][0])


def test_values_are_those_between_the_offsets(ragged_maps, ragged_images):
    subset = ragged_maps[[4, 0]].select(scales=[1])
    offsets = subset.offsets("features")
    assert_array_equal(offsets, [0, 3, 7])
    assert_array_equal(
        subset.values("features")[offsets[1] : offsets[2]], ragged_images[0][1].reshape(-1, 3)
    )


def test_select(two_layers):
    chosen = two_layers.select(layers=["conv5"], scales=[-1, 0])
    assert chosen.layers == ("conv5",)
    assert_array_equal(chosen[0]["conv5"][0], two_layers[0]["conv5"][1])
    assert_array_equal(chosen[0]["conv5"][1], two_layers[0]["conv5"][0])
    assert_array_equal(chosen.select(scales=[0]).values("conv5"), two_layers.select(
        scales=[1]).values("conv5"))  # fmt: skip
    with pytest.raises(FeatureMapsError, match=r"no layer 'conv9'.*conv4.*conv5"):
        two_layers.select(layers=["conv9"])
    with pytest.raises(FeatureMapsError, match=r"scales=\[2\].*have 2"):
        two_layers.select(scales=[2])


def test_the_deepest_layer_is_never_a_class_token_beside_patches(ragged_images):
    layers = {"a": ragged_images, "b": ragged_images, "b[cls]": ragged_images}
    assert FeatureMaps.from_layers(layers).deepest_layer == "b"
    assert FeatureMaps.from_layers({"b[cls]": ragged_images}).deepest_layer == "b[cls]"


def test_the_deepest_layer_is_never_the_pixels(ragged_images):
    assert FeatureMaps.from_layers({"a": ragged_images, "rgb": ragged_images}).deepest_layer == "a"
    assert FeatureMaps.from_layers({"rgb": ragged_images}).deepest_layer == "rgb"


def test_scikit_learn_indexes_maps_as_an_array(ragged_maps):
    assert indexable(ragged_maps)[0] is ragged_maps
    assert_same_maps(_safe_indexing(ragged_maps, [3, 1]), ragged_maps[[3, 1]])
    train, _ = next(KFold(3).split(ragged_maps))
    assert_array_equal(train, [2, 3, 4, 5])


def test_maps_run_through_cross_validation(ragged_maps):
    from sklearn.dummy import DummyClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    counts = FunctionTransformer(lambda maps: np.array([[len(maps)]] * len(maps)))
    pipeline = make_pipeline(counts, DummyClassifier())
    assert len(cross_val_score(pipeline, ragged_maps, [0, 1] * 3, cv=2)) == 2


def test_numpy_is_told_what_to_do_instead(ragged_maps):
    with pytest.raises(FeatureMapsError, match=r"values\(layer\)"):
        np.asarray(ragged_maps)


def test_pickles_carry_their_own_rows_alone():
    maps = FeatureMaps.from_arrays(np.random.RandomState(0).rand(100, 5, 5, 8))
    for key in [slice(3, 5), [7, 3]]:
        pickled = pickle.dumps(maps[key])
        assert len(pickled) < 2 * 25 * 8 * 8 + 2_000
        assert_same_maps(pickle.loads(pickled), maps[key])
    chosen = maps.select(scales=[0])
    assert pickle.loads(pickle.dumps(chosen))._store.array["features"].shape == (2500, 8)


def test_the_whole_pickles_as_the_one_array_it_is():
    """Joblib recognises an array by its identity and maps it to its workers once."""
    values = np.ones((12, 2))
    maps = FeatureMaps.from_values({"a": values}, {"a": np.ones((12, 1, 2), int)})
    store = maps.__reduce__()[1][0]
    assert store.array["a"] is values


def test_hashes_follow_the_content(ragged_maps, ragged_images):
    assert joblib.hash(ragged_maps) == joblib.hash(FeatureMaps.from_arrays(ragged_images))
    assert joblib.hash(ragged_maps[:3]) != joblib.hash(ragged_maps[1:4])
    assert joblib.hash(ragged_maps[:3]) == joblib.hash(ragged_maps[[0, 1, 2]])


def test_batches_fit_and_join_to_the_whole(two_layers):
    size = two_layers[0:1].nbytes / 2**20
    batches = list(two_layers.iter_batches(working_memory=1.2 * size))
    assert len(batches) > 2
    for batch in batches:
        assert len(batch) == 1 or batch.nbytes <= 1.2 * size * 2**20
    joined = np.concatenate([batch.values("conv5") for batch in batches])
    assert_array_equal(joined, two_layers.values("conv5"))


def test_batches_count_what_the_caller_needs(ragged_maps):
    with config_context(working_memory=1):
        assert len(list(ragged_maps.iter_batches())) == 1
        assert len(list(ragged_maps.iter_batches(bytes_per_image=2**20))) == 6
        assert len(list(ragged_maps.iter_batches(bytes_per_image=[0, 2**20, 0, 0, 0, 0]))) == 3


def test_half_precision_is_kept_and_read_in_single(ragged_images):
    halves = [[scale.astype(np.float16) for scale in image] for image in ragged_images]
    maps = FeatureMaps.from_arrays(halves)
    assert maps.dtype == np.float16
    (batch,) = maps.iter_batches()
    assert batch.dtype == np.float32
    assert_array_equal(batch.values("features"), maps.values("features"))


def test_other_stores_are_read_batch_by_batch(ragged_maps):
    values, grid = ragged_maps.values("features"), ragged_maps.grid("features")
    store = StoreOnRequest({"features": values}, {"features": grid})
    assert isinstance(store, Store)
    maps = FeatureMaps(store)
    assert not maps.in_memory
    batches = maps.iter_batches(working_memory=1e-6)
    assert next(batches).in_memory
    assert store.n_rows_read == ragged_maps[:1].offsets("features")[-1]
    assert len(list(batches)) == 5


def test_maps_in_files_come_into_memory_at_once(ragged_maps):
    store = StoreOnRequest(*ragged_maps.__getstate__().values())
    view = FeatureMaps(store)[[4, 1]].with_index([40, 10])
    read = view.to_memory()
    assert_same_maps(read, ragged_maps[[4, 1]])
    assert read.in_memory
    assert read.index == [40, 10]
    n_read = store.n_rows_read
    read.values("features")
    assert store.n_rows_read == n_read
    assert read.to_memory() is read


def test_values_that_are_not_finite_are_found_as_they_are_read(ragged_maps):
    values = ragged_maps.values("features").copy()
    values[ragged_maps.offsets("features")[9], 1] = np.nan
    store = StoreOnRequest({"features": values}, {"features": ragged_maps.grid("features")})
    with pytest.raises(NonFiniteError, match=r"Image 4 .* 'features' at scale 1"):
        list(FeatureMaps(store).iter_batches(working_memory=1e-6))
    with config_context(assume_finite=True):
        list(FeatureMaps(store).iter_batches())


def test_arrays_that_are_laid_out_already_are_not_copied():
    values = np.zeros((7, 4), dtype=np.float16)
    maps = FeatureMaps.from_values({"fc7": values}, {"fc7": [[[1, 3]], [[2, 2]]]})
    assert maps.values("fc7") is not None
    assert np.shares_memory(maps.values("fc7"), values)
    assert maps[1]["fc7"][0].shape == (2, 2, 4)


@pytest.mark.parametrize(
    ("values", "grids", "message"),
    [
        ({}, {}, "at least one"),
        ({"a": np.ones((2, 3))}, {"b": [[[1, 2]]]}, "same layers"),
        ({"a": np.ones((2, 3))}, {"a": [[1, 2]]}, r"grid of layer 'a'.*n_images, n_scales, 2"),
        ({"a": np.ones((3, 3))}, {"a": [[[1, 2]]]}, r"'a' have shape \(3, 3\).*\(2, D\)"),
        ({"a": np.ones((2, 3), int)}, {"a": [[[1, 2]]]}, "'a' are int64"),
        (
            {"a": np.ones((2, 3)), "b": np.ones((2, 3))},
            {"a": [[[1, 2]]], "b": [[[1, 1]], [[1, 1]]]},
            "'b' has 2 images .* 'a' 1",
        ),
    ],
)
def test_sizes_that_do_not_agree(values, grids, message):
    with pytest.raises(FeatureMapsError, match=message):
        FeatureMaps.from_values(values, grids)


def test_coercion_leaves_maps_alone(ragged_maps):
    assert as_feature_maps(ragged_maps) is ragged_maps


def test_a_column_is_one_layer_of_the_images_in_view():
    rng = np.random.default_rng(0)
    images = [[rng.random((2, 3, 4)), rng.random((1, 1, 4))], [rng.random((2, 2, 4))]]
    maps = FeatureMaps.from_arrays(images, layer="conv5")[[1, 0]]
    column = maps.column("conv5")
    assert_array_equal(column.values, maps.values("conv5"))
    assert_array_equal(column.grids, maps.grid("conv5"))
    assert_array_equal(column.offsets, maps.offsets("conv5"))
    assert_array_equal(column.image_offsets, [0, 4, 11])
    assert_array_equal(column.n_positions, [4, 7])
    assert_array_equal(maps.n_positions("conv5"), [4, 7])


def test_labels_follow_their_images():
    pd = pytest.importorskip("pandas")
    maps = FeatureMaps.from_arrays(np.ones((4, 2, 2, 3))).with_index(pd.Index(list("abcd")))
    assert list(maps[[3, 1]].index) == ["d", "b"]
    assert list(maps[maps.n_positions("features") > 0][1:].select(scales=[0]).index) == list("bcd")
    assert list(maps.crop([[0, 0, 1, 1]] * 4).index) == list("abcd")
    assert list(pickle.loads(pickle.dumps(maps[2:])).index) == ["c", "d"]
    assert maps.with_index(None).index is None


def test_labels_are_as_many_as_images():
    with pytest.raises(FeatureMapsError, match="3 labels for 4 images"):
        FeatureMaps.from_arrays(np.ones((4, 2, 2, 3))).with_index(range(3))
