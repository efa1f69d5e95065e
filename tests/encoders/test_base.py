"""What the base does for every encoder, shown on the smallest one there is."""

import weakref

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepenc.arrays.segments import segment_mean
from skdeepenc.encoders.base import MapsEncoder
from skdeepenc.exceptions import FeatureMapsError, NonFiniteError
from skdeepenc.functional import l2_normalize
from skdeepenc.maps import FeatureMaps, Store
from skdeepenc.testing import parametrize_with_maps_checks, ragged_images, random_maps


class MeanEncoder(MapsEncoder):
    """The mean descriptor of all scales."""

    def __init__(self, *, layer=None, scales=None, n_jobs=None, verbose=0):
        self.layer = layer
        self.scales = scales
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X, y=None):
        self._check_maps(X, reset=True)
        return self

    @property
    def _n_features_out(self):
        return self.n_features_in_

    def _bytes_per_image(self, maps):
        return maps.n_channels(maps.layers[0]) * 4

    def _encode(self, maps):
        column = maps.column(maps.layers[0])
        return l2_normalize(segment_mean(column.values, column.image_offsets))


@parametrize_with_checks([MeanEncoder()])
def test_scikit_learn_accepts_a_subclass(estimator, check):
    check(estimator)


@parametrize_with_maps_checks([MeanEncoder(), MeanEncoder(scales=[0])])
def test_a_subclass_passes_our_checks(estimator, check):
    check(estimator)


def test_the_deepest_layer_is_encoded_unless_one_is_named():
    shallow, deep = random_maps(n_channels=3), random_maps(n_channels=4)
    maps = FeatureMaps.from_layers({"conv4": shallow, "conv5": deep, "rgb": shallow})
    assert MeanEncoder().fit(maps).layers_in_ == ("conv5",)
    encoder = MeanEncoder(layer="conv4").fit(maps)
    assert encoder.n_features_in_ == 3
    assert_allclose(encoder.transform(maps), encoder.transform(maps.select(layers=["conv4"])))


def test_chosen_scales_are_those_that_are_encoded():
    images = ragged_images(n_scales=3)
    encoder = MeanEncoder(scales=[2, 0]).fit(images)
    expected = MeanEncoder().fit_transform([[image[0], image[2]] for image in images])
    assert_allclose(encoder.transform(images), expected, rtol=1e-6)


def test_unknown_layers_and_scales_are_named():
    images = ragged_images(n_scales=2)
    with pytest.raises(FeatureMapsError, match="no layer 'fc9'"):
        MeanEncoder(layer="fc9").fit(images)
    with pytest.raises(FeatureMapsError, match=r"scales=\[2\]"):
        MeanEncoder(scales=[2]).fit(images)


def test_a_data_frame_comes_out_where_it_is_asked_for():
    pytest.importorskip("pandas")
    encoder = MeanEncoder().set_output(transform="pandas").fit(random_maps())
    frame = encoder.transform(random_maps())
    assert list(frame.columns) == [f"meanencoder{number}" for number in range(5)]


def test_progress_is_shown_where_it_is_asked_for(capsys):
    with config_context(working_memory=1e-6):
        MeanEncoder(verbose=2).fit_transform(random_maps())
    assert "6/6" in capsys.readouterr().err
    MeanEncoder().fit_transform(random_maps())
    assert not capsys.readouterr().err


def test_a_vector_that_overflows_is_an_error_that_names_the_image():
    class Squares(MeanEncoder):
        def _encode(self, maps):
            with np.errstate(over="ignore"):
                return super()._encode(maps) * np.float32(1e20) * np.float32(1e20)

    maps = random_maps()
    maps[:4] = 0
    with (
        config_context(working_memory=1e-6),
        pytest.raises(NonFiniteError, match=r"Squares encodes image 4 .*float32.*l2_normalize"),
    ):
        Squares().fit(maps).transform(maps)


def test_threads_obey_the_configuration_of_the_caller():
    """The working memory that a thread sees is the caller's."""
    seen = []

    class Spy(MeanEncoder):
        def _encode(self, maps):
            seen.append(len(maps))
            return super()._encode(maps)

    with config_context(working_memory=1e-6):
        Spy(n_jobs=2).fit_transform(random_maps())
    assert_array_equal(seen, [1] * 6)


class Counted(Store):
    """Values made up when read; counts how many readings are still alive by the next one."""

    layers = ("conv5",)
    channels = {"conv5": 4}
    dtypes = {"conv5": np.dtype(np.float32)}

    def __init__(self, n_images):
        self.grids = {"conv5": np.full((n_images, 1, 2), 2)}
        self.alive, self.most_alive = weakref.WeakValueDictionary(), 0

    def read(self, layer, images, scales):
        self.most_alive = max(self.most_alive, len(self.alive))
        values = np.ones((4 * len(images), 4), np.float32)
        self.alive[int(images[0])] = values
        return values


def test_a_batch_is_gone_before_the_next_is_read():
    store = Counted(20)
    maps = FeatureMaps(store)
    with config_context(working_memory=1e-4):  # an image a batch
        MeanEncoder().fit(maps).transform(maps)
    assert store.most_alive == 0
