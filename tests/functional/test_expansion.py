"""Expanded queries against the equation, one neighbour after the other."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn import config_context

from skdeepenc.functional import l2_normalize
from skdeepenc.functional.expansion import literal_expansion
from skdeepenc.retrieval import augment_gallery, expand_queries


@pytest.mark.parametrize("alpha", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("n_neighbors", [1, 4, 12])
def test_equals_the_equation(alpha, n_neighbors):
    rng = np.random.default_rng(0)
    queries, gallery = rng.normal(size=(5, 6)), rng.normal(size=(12, 6))
    unit_queries, unit_gallery = l2_normalize(queries), l2_normalize(gallery)
    nearest = np.argsort(-unit_queries @ unit_gallery.T, axis=1)[:, :n_neighbors]
    expected = [
        literal_expansion(query, unit_gallery[indices], alpha)
        for query, indices in zip(unit_queries, nearest, strict=True)
    ]
    assert_allclose(expand_queries(queries, gallery, n_neighbors, alpha), expected)


@pytest.mark.parametrize("alpha", [0.0, 2.0])
@pytest.mark.parametrize("n_neighbors", [1, 3, 20])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_a_gallery_is_augmented_by_the_equation(alpha, n_neighbors, container):
    gallery = np.random.default_rng(0).normal(size=(9, 5))
    gallery[7] = 3 * gallery[2]  # a copy is a neighbour, an image itself is not
    unit = l2_normalize(gallery)
    expected = []
    for image, vector in enumerate(unit):
        order = [other for other in np.argsort(-unit @ vector, kind="stable") if other != image]
        expected.append(literal_expansion(vector, unit[order[:n_neighbors]], alpha))
    augmented = augment_gallery(container(gallery), n_neighbors, alpha)
    dense = augmented.toarray() if sparse.issparse(augmented) else augmented
    assert_allclose(dense, expected, atol=1e-12)


def test_among_many_copies_an_image_is_augmented_all_the_same():
    gallery = np.ones((6, 2))
    gallery[5] = [1.0, 0.0]
    augmented = augment_gallery(gallery, 2)
    assert_allclose(augmented[:5], np.sqrt([[0.5, 0.5]] * 5))
    assert_allclose(augmented[5], l2_normalize(np.array([1 + np.sqrt(2), np.sqrt(2)])))


def test_at_most_all_others_join_an_image():
    gallery = np.abs(np.random.default_rng(0).normal(size=(5, 3)))
    mean = l2_normalize(l2_normalize(gallery).sum(axis=0))
    assert_allclose(augment_gallery(gallery, 20), np.tile(mean, (5, 1)))


def test_plain_means_are_the_default():
    gallery = np.random.default_rng(0).normal(size=(9, 5))
    assert_allclose(augment_gallery(gallery, 3), augment_gallery(gallery, 3, alpha=0))
    assert_allclose(
        expand_queries(gallery[:2], gallery, 3), expand_queries(gallery[:2], gallery, 3, alpha=0)
    )


def test_augmentation_in_batches_is_augmentation_at_once():
    gallery = np.random.default_rng(0).normal(size=(60, 5))
    whole = augment_gallery(gallery, 3)
    with config_context(working_memory=5):  # of 7 rows
        assert_allclose(augment_gallery(gallery, 3), whole)
