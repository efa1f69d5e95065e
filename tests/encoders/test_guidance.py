"""Learned guidance: its gradient, its training, its bounds."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import approx_fprime
from sklearn import config_context

from skdeepenc.encoders._guidance import GuidanceFilters
from skdeepenc.functional.guidance import literal_loss, loss_and_gradients, responses
from skdeepenc.maps import FeatureMaps


def random_problem(seed=0):
    rng = np.random.RandomState(seed)
    offsets = np.array([0, 3, 3, 8, 9])  # the second image has no descriptor
    parameters = [rng.randn(4, 5), rng.randn(5), rng.randn(5, 3), rng.randn(3)]
    return parameters, rng.randn(9, 4), offsets, np.array([0, 2, 1, 1])


def parts_that_differ(n_images=40, seed=0):
    """Images of two classes, told apart by one descriptor among noise."""
    rng = np.random.RandomState(seed)
    y = np.arange(n_images) % 2
    images = rng.rand(n_images, 3, 3, 6)
    images[np.arange(n_images), rng.randint(3, size=n_images), 1, y] += 3
    return FeatureMaps.from_arrays(images), np.array(["lily", "tulip"])[y]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("which", range(4))
def test_gradients_equal_finite_differences(seed, which):
    parameters, descriptors, offsets, targets = random_problem(seed)

    def loss_of(flat):
        changed = list(parameters)
        changed[which] = flat.reshape(parameters[which].shape)
        return loss_and_gradients(changed, descriptors, offsets, targets)[0]

    _, gradients = loss_and_gradients(parameters, descriptors, offsets, targets)
    expected = approx_fprime(parameters[which].ravel(), loss_of, 1e-7)
    assert_allclose(gradients[which].ravel(), expected, atol=1e-5)


def test_the_loss_is_the_cross_entropy_of_pooled_responses():
    parameters, descriptors, offsets, targets = random_problem()
    filters, intercepts, weights, bias = parameters
    expected = 0
    for image, target in enumerate(targets):
        rows = descriptors[offsets[image] : offsets[image + 1]]
        activations = [np.maximum(row @ filters + intercepts, 0) for row in rows]
        pooled = np.max(activations, axis=0) if activations else np.zeros(5)
        scores = np.exp(pooled @ weights + bias)
        expected -= np.log(scores[target] / scores.sum())
    loss, _ = loss_and_gradients(
        [filters, intercepts, weights, bias], descriptors, offsets, targets
    )
    assert_allclose(loss, expected)
    filled = [0, 2, 3]  # the equation says nothing of an image without descriptors
    images = [descriptors[offsets[image] : offsets[image + 1]] for image in filled]
    of_filled = np.concatenate([[0], np.cumsum([len(image) for image in images])])
    loss, _ = loss_and_gradients(parameters, descriptors, of_filled, targets[filled])
    assert_allclose(loss, literal_loss(parameters, images, targets[filled]))


def test_positions_with_equal_maxima_share_the_gradient():
    parameters, _, _, _ = random_problem()
    descriptor = np.abs(np.random.RandomState(0).randn(1, 4))
    alone = loss_and_gradients(parameters, descriptor, np.array([0, 1]), np.array([1]))
    twice = loss_and_gradients(parameters, descriptor.repeat(2, 0), np.array([0, 2]), np.array([1]))
    for gradient, other in zip(alone[1], twice[1], strict=True):
        assert_allclose(gradient, other)


def test_training_tells_the_classes_apart():
    maps, y = parts_that_differ()
    filters = GuidanceFilters(n_filters=8, random_state=0).fit(maps, y)
    assert filters.n_iter_ == len(filters.loss_curve_) == 50
    assert filters.loss_curve_[-1] < 0.1 * filters.loss_curve_[0]
    offsets = maps.offsets("features")
    pooled = np.maximum.reduceat(
        responses(maps.column("features"), filters.record_), offsets[:-1], axis=0
    )
    scores = pooled @ filters.classifier_coef_ + filters.classifier_intercept_
    assert_array_equal(filters.classes_[scores.argmax(axis=1)], y)


def test_the_scale_of_the_descriptors_changes_nothing():
    maps, y = parts_that_differ()
    larger = FeatureMaps.from_values(
        {"features": 64 * maps.values("features")}, {"features": maps.grid("features")}
    )
    filters = GuidanceFilters(n_filters=3, n_epochs=5, random_state=0).fit(maps, y)
    same = GuidanceFilters(n_filters=3, n_epochs=5, random_state=0).fit(larger, y)
    assert_allclose(same.coef_, filters.coef_ / 64)


def test_working_memory_changes_nothing():
    maps, y = parts_that_differ()
    filters = GuidanceFilters(n_filters=3, n_epochs=5, random_state=0).fit(maps, y)
    with config_context(working_memory=1e-6):
        small = GuidanceFilters(n_filters=3, n_epochs=5, random_state=0).fit(maps, y)
    assert_allclose(small.coef_, filters.coef_)


def test_seeds_decide():
    maps, y = parts_that_differ()
    first, again, other = (
        GuidanceFilters(n_filters=3, n_epochs=2, random_state=seed).fit(maps, y).coef_
        for seed in (0, 0, 1)
    )
    assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_each_parameter_changes_the_training():
    maps, y = parts_that_differ()
    base = {"n_filters": 3, "n_epochs": 2, "random_state": 0}
    expected = GuidanceFilters(**base).fit(maps, y).coef_
    for changed in ({"learning_rate": 0.1}, {"n_epochs": 3}, {"batch_size": 7}):
        assert not np.allclose(GuidanceFilters(**{**base, **changed}).fit(maps, y).coef_, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_float_type_is_kept(dtype):
    maps, y = parts_that_differ()
    maps = FeatureMaps.from_arrays(maps.values("features").reshape(40, 3, 3, 6).astype(dtype))
    assert GuidanceFilters(n_filters=3, n_epochs=2).fit(maps, y).coef_.dtype == dtype
