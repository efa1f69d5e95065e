"""Every check finds the fault that it is there for, and finds none in an honest encoder."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin

from skdeepenc.arrays.segments import segment_mean
from skdeepenc.encoders.base import MapsEncoder
from skdeepenc.functional import l2_normalize
from skdeepenc.testing import (
    _checks,
    check_maps_encoder,
    maps_encoder_checks,
    parametrize_with_maps_checks,
)


class Honest(MapsEncoder):
    """The mean descriptor."""

    def __init__(self, *, layer=None, scales=None, n_jobs=None):
        self.layer = layer
        self.scales = scales
        self.n_jobs = n_jobs

    def fit(self, X, y=None):
        self._check_maps(X, reset=True)
        return self

    @property
    def _n_features_out(self):
        return self.n_features_in_

    def _encode(self, maps):
        (layer,) = maps.layers
        return l2_normalize(segment_mean(maps.values(layer), maps.offsets(layer)[:: maps.n_scales]))


class LooksAtItsBatch(Honest):
    def _encode(self, maps):
        vectors = super()._encode(maps)
        return vectors * (1 + len(vectors))


class GivesEmptyImagesAMean(Honest):
    def _encode(self, maps):
        vectors = super()._encode(maps)
        vectors[~vectors.any(axis=1)] = 1
        return vectors


class DividesByTheLength(Honest):
    def _encode(self, maps):
        vectors = super()._encode(maps)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class LooksAtTheFirstPosition(Honest):
    def _encode(self, maps):
        (layer,) = maps.layers
        firsts = maps.offsets(layer)[: -1 : maps.n_scales]
        padded = np.vstack([maps.values(layer), np.zeros((1, self.n_features_in_))])
        vectors = super()._encode(maps)
        return vectors + padded[firsts] * vectors.any(axis=1, keepdims=True)


class AlwaysDouble(Honest):
    def transform(self, X):
        return super().transform(X).astype(np.float64)


class CountsItsCalls(Honest):
    def transform(self, X):
        self.n_calls_ = getattr(self, "n_calls_", 0) + 1
        return super().transform(X)


class RemembersTheFirstFit(Honest):
    def fit(self, X, y=None):
        super().fit(X)
        if not hasattr(self, "scale_"):
            self.scale_ = 1 + self._check_maps(X, reset=True).values("features").mean()
        return self

    def _encode(self, maps):
        return super()._encode(maps) * self.scale_


class WritesIntoItsInput(Honest):
    def _encode(self, maps):
        values = maps.values(maps.layers[0])
        values += 1
        return super()._encode(maps)


class LosesItselfInPickles(Honest):
    def __getstate__(self):
        return {**super().__getstate__(), "layers_in_": ("lost",)}


class TakesAnyValue(Honest):
    def _check_maps(self, X, *, reset):
        return super()._check_maps(
            np.nan_to_num(X) if isinstance(X, np.ndarray) else X, reset=reset
        )


class TakesAnyLayer(Honest):
    def _match_fitted(self, maps, *, reset):
        return super()._match_fitted(maps, reset=True)


class NamesNothing(Honest):
    def get_feature_names_out(self, input_features=None):
        return np.array([f"x{number}" for number in range(self._n_features_out)], dtype=object)


class NeedsNoFit(TransformerMixin, BaseEstimator):
    def transform(self, X):
        return np.zeros((len(X), 1))


class NeedsManyImages(Honest):
    def fit(self, X, y=None):
        if len(self._check_maps(X, reset=True)) < 6:
            raise ValueError("too few images")
        return self


FAULTS = [
    (LooksAtItsBatch, "check_batch_independence"),
    (LooksAtItsBatch, "check_working_memory"),
    (LooksAtItsBatch, "check_feature_maps_subsets"),
    (LooksAtItsBatch, "check_n_jobs"),
    (GivesEmptyImagesAMean, "check_images_without_descriptors"),
    (DividesByTheLength, "check_zero_maps"),
    (LooksAtTheFirstPosition, "check_descriptor_order"),
    (AlwaysDouble, "check_float_types"),
    (CountsItsCalls, "check_transform_leaves_all_as_it_is"),
    (RemembersTheFirstFit, "check_repeated_fits"),
    (WritesIntoItsInput, "check_transform_leaves_all_as_it_is"),
    (LosesItselfInPickles, "check_pickles"),
    (TakesAnyValue, "check_non_finite_values"),
    (TakesAnyLayer, "check_other_maps_than_fitted"),
    (NamesNothing, "check_feature_names"),
    (NeedsNoFit, "check_not_fitted"),
    (NeedsManyImages, "check_one_image"),
    (NeedsManyImages, "check_few_descriptors"),
]


@pytest.mark.parametrize(
    ("faulty", "check"), FAULTS, ids=lambda item: getattr(item, "__name__", item)
)
def test_faults_are_found(faulty, check):
    named = {found.args[0].__name__: found for _, found in maps_encoder_checks(faulty())}
    with pytest.raises((AssertionError, ValueError, RuntimeWarning)):
        named[check](faulty())


def test_an_honest_encoder_passes_everything():
    check_maps_encoder(Honest())


def test_order_is_checked_only_where_it_should_not_matter():
    check_maps_encoder(LooksAtTheFirstPosition(), orderless=False)
    with pytest.raises(AssertionError):
        check_maps_encoder(LooksAtTheFirstPosition())


def test_every_check_says_what_it_claims():
    for _, check in maps_encoder_checks(Honest()):
        assert check.args[0].__doc__, check


def test_one_test_an_estimator_and_check():
    n_checks = sum(name.startswith("check_") for name in vars(_checks))
    mark = parametrize_with_maps_checks([Honest(), Honest(scales=[0])]).mark
    names, pairs = mark.args
    assert names == ("estimator", "check")
    assert len(pairs) == len(set(mark.kwargs["ids"])) == 2 * n_checks
    (estimator, _), (another, _) = pairs[:2]
    assert estimator is not another
