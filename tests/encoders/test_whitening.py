"""Whitening transformers: what they let in, and what they do for retrieval."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.utils.estimator_checks import parametrize_with_checks

import skdeepenc
from skdeepenc import GlobalPooler, NearestNeighborRanker, PowerLawWhitening, SupervisedWhitening
from skdeepenc.exceptions import DegenerateDataError


@parametrize_with_checks([PowerLawWhitening(), SupervisedWhitening()])
def test_scikit_learn_accepts_the_transformers(estimator, check):
    check(estimator)


def seen_in_two_lights(n_places=40, seed=0):
    """Three vectors per place; light changes a few channels much, the place all of them little."""
    rng = np.random.default_rng(seed)
    places = np.repeat(np.arange(n_places), 3)
    light = rng.normal(size=(len(places), 3)) @ np.random.default_rng(5).normal(size=(3, 16))
    noise = 0.1 * rng.normal(size=(len(places), 16))
    return rng.normal(size=(n_places, 16))[places] + 4 * light + noise, places


def test_whitening_from_classes_finds_places_again_in_another_light():
    training, of_training = seen_in_two_lights()
    images, places = seen_in_two_lights(seed=1)
    plain = NearestNeighborRanker().fit(images, places).score(images, places)
    steps = make_pipeline(SupervisedWhitening(12), Normalizer()).fit(training, of_training)
    white = steps.transform(images)
    assert NearestNeighborRanker().fit(white, places).score(white, places) > plain + 0.3
    assert white.shape == (120, 12)


def test_groups_take_the_place_of_labels():
    vectors, places = seen_in_two_lights()
    names = np.array([f"place {place}" for place in places])
    by_label = SupervisedWhitening().fit(vectors, places)
    by_group = SupervisedWhitening().fit(vectors, np.zeros(len(places), int), groups=names)
    assert_allclose(by_group.transform(vectors), by_label.transform(vectors))
    with pytest.raises(ValueError, match="requires y to be passed"):
        SupervisedWhitening().fit(vectors)
    with pytest.raises(DegenerateDataError, match="are of 120 classes"):
        SupervisedWhitening().fit(vectors, np.arange(120))


def test_components_are_clipped_and_kept():
    vectors, places = seen_in_two_lights()
    assert SupervisedWhitening(99).fit(vectors, places).n_components_ == 16
    few = SupervisedWhitening().fit(vectors[:9], places[:9])
    assert (few.n_components_, few.n_features_in_) == (8, 16)
    assert few.shrinkage_ > 0
    assert SupervisedWhitening(shrinkage=0.25).fit(vectors, places).shrinkage_ == 0.25
    assert PowerLawWhitening(99).fit(vectors).n_components_ == 16


@pytest.mark.parametrize("whitening", [SupervisedWhitening(2), PowerLawWhitening(2)])
def test_whitening_follows_an_encoder_gives_tables_and_is_saved(whitening, tmp_path):
    maps = np.random.default_rng(0).random((30, 3, 4, 6), dtype=np.float32)
    pipeline = make_pipeline(GlobalPooler(), whitening, Normalizer()).fit(maps, np.arange(30) % 3)
    vectors = pipeline.transform(maps)
    assert vectors.dtype == np.float32
    skdeepenc.save(pipeline, tmp_path / "whitening.skops")
    assert_array_equal(skdeepenc.load(tmp_path / "whitening.skops").transform(maps), vectors)
    pytest.importorskip("pandas")
    with config_context(transform_output="pandas"):
        name = type(whitening).__name__.lower()
        table = pipeline[:2].fit_transform(maps, np.arange(30) % 3)
    assert list(table.columns) == [f"{name}0", f"{name}1"]


@pytest.mark.parametrize(
    "bad", [{"n_components": 0}, {"shrinkage": 2}, {"shrinkage": "none"}], ids=str
)
def test_bad_parameters_are_refused(bad):
    vectors, places = seen_in_two_lights()
    with pytest.raises(ValueError, match=next(iter(bad))):
        SupervisedWhitening(**bad).fit(vectors, places)
