"""The extractor among scikit-learn's tools: clones, pickles, pipelines and searches."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from skdeepenc.extraction import ActivationExtractor, backbone_runs
from skdeepenc.images import Pyramid


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


def test_check_estimator_has_no_failures(model):
    """Images are not 2-D data, so scikit-learn skips, and says so; the tests below take over."""
    with pytest.warns(SkipTestWarning, match="ActivationExtractor"):
        results = check_estimator(ActivationExtractor(model))
    assert not [result for result in results if result["status"] == "failed"]


def test_projections_must_be_fitted_first(model, images):
    with pytest.raises(NotFittedError):
        ActivationExtractor(model, n_components=2).transform(images)


def test_without_projections_there_is_nothing_to_fit(model, images):
    extractor = ActivationExtractor(model)
    maps = extractor.transform(images)
    assert vars(extractor) == vars(clone(extractor))  # it is as it was
    names = extractor.get_feature_names_out()
    extractor.fit(images)
    assert_array_equal(maps.values("conv2"), extractor.transform(images).values("conv2"))
    assert list(names) == list(extractor.get_feature_names_out())
    assert make_pipeline(ActivationExtractor(model)).transform(images).shape == maps.shape


def test_parameters_are_checked_without_fit_as_well(model, images):
    with pytest.raises(ValueError, match="batch_size"):
        ActivationExtractor(model, batch_size=0).transform(images)


def test_only_a_fitted_extractor_can_follow_its_model(model):
    with pytest.raises(NotFittedError):
        ActivationExtractor(model).relocate(model)


def test_parameters_of_no_view_are_refused_with_the_cure(model):
    extractor = ActivationExtractor(model)
    with pytest.raises(ValueError, match=r"views__n_scales .* views is None.* views=Pyramid\(\)"):
        extractor.set_params(views__n_scales=3)
    assert extractor.set_params(views=Pyramid(), views__n_scales=3).views.n_scales == 3
    with pytest.raises(ValueError, match="views is None"):
        extractor.set_params(views=None, views__n_scales=3)


def test_clone_keeps_parameters_and_nothing_else(model, images):
    extractor = ActivationExtractor(model, views=Pyramid(n_scales=2), n_components=3).fit(images)
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


def test_fit_and_transform_change_no_parameter(model, images):
    extractor = ActivationExtractor(model)
    before = extractor.get_params()
    state = vars(extractor.fit(images)).copy()
    extractor.transform(images)
    assert extractor.get_params() == before
    assert vars(extractor) == state


def test_a_pickled_extractor_gives_the_same_maps(model, images):
    extractor = ActivationExtractor(model, n_components=2, random_state=0).fit(images)
    copy = pickle.loads(pickle.dumps(extractor))
    assert_array_equal(
        copy.transform(images).values("conv2"), extractor.transform(images).values("conv2")
    )


def test_a_pipeline_may_ask_for_tables(model, images):
    pytest.importorskip("pandas")
    labels = np.arange(len(images)) % 2
    pipeline = make_pipeline(ActivationExtractor(model), MeanOfMaps(), LogisticRegression())
    pipeline[:1].set_output(transform="pandas")
    pipeline.fit(images, labels)
    assert pipeline.predict(images).shape == (12,)


@pytest.mark.parametrize("with_cache", [False, True])
def test_a_pipeline_remembers_maps(model, images, tmp_path, with_cache, monkeypatch):
    memory = tmp_path / "cache" if with_cache else None
    extractor = ActivationExtractor(model, memory=memory)
    pipeline = make_pipeline(
        extractor, MeanOfMaps(), LogisticRegression(), memory=str(tmp_path / "steps")
    )
    labels = np.arange(len(images)) % 2
    expected = pipeline.fit(images, labels).predict_proba(images)
    monkeypatch.setattr(ActivationExtractor, "fit_transform", None)  # what is remembered
    assert_array_equal(pipeline.fit(images, labels).predict_proba(images), expected)


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
