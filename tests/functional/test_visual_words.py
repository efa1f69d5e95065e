"""Words are those of k-means, and counts those of the nearest word."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cluster import KMeans

from skdeepenc.arrays.column import Column
from skdeepenc.functional import l2_normalize
from skdeepenc.functional.visual_words import (
    VisualWords,
    bag_of_words,
    fit_codebook,
    fit_cosine_codebook,
    literal_histogram,
)


def correlated_sample(n_samples, n_channels, dtype):
    rng = np.random.RandomState(0)
    mixing = rng.standard_normal((n_channels, n_channels)) / np.sqrt(n_channels)
    return (rng.standard_normal((n_samples, n_channels)) @ mixing + 3).astype(dtype)


def test_counts_equal_the_literal_histogram():
    descriptors, words = correlated_sample(30, 3, np.float64), correlated_sample(7, 3, np.float64)
    grids = np.array([[[2, 5], [1, 1]], [[0, 0], [0, 0]], [[19, 1], [0, 0]]])
    for power in (0, 0.3, 1):
        record = VisualWords(words, power=power)
        counts = bag_of_words(Column(descriptors, grids), record).toarray()
        parts = np.split(descriptors, [11, 11])
        assert_allclose(counts, [literal_histogram(part, words, power) for part in parts])
    counts = bag_of_words(Column(descriptors, grids), VisualWords(words)).toarray()
    assert_array_equal(counts, [literal_histogram(part, words) for part in parts])


def test_words_are_those_of_k_means():
    sample = correlated_sample(200, 5, np.float32)
    codebook = fit_codebook(sample, 8, random_state=0)
    assert codebook.dtype == np.float32
    inertia = ((sample[:, None] - codebook) ** 2).sum(axis=2).min(axis=1).sum()
    assert_allclose(inertia, KMeans(8, n_init=5, random_state=1).fit(sample).inertia_, rtol=0.1)
    assert_array_equal(codebook, fit_codebook(sample, 8, random_state=0))
    state = np.random.RandomState(0)
    assert_array_equal(codebook, fit_codebook(sample, 8, random_state=state))


def test_repeated_samples_make_no_word_twice():
    sample = np.repeat(correlated_sample(3, 2, np.float64), 20, axis=0)
    codebook = fit_codebook(sample, 10, random_state=0)
    assert_allclose(np.unique(codebook, axis=0), np.unique(sample, axis=0))
    assert fit_codebook(np.zeros((4, 2)), 10, random_state=0).shape == (1, 2)


def test_words_of_directions_cover_more_cosine_than_k_means_did():
    sample = correlated_sample(400, 6, np.float32)
    unit = l2_normalize(sample)
    words = fit_cosine_codebook(sample, 7, random_state=0)
    assert words.dtype == np.float32
    start = fit_codebook(unit, 7, random_state=0)
    covered, before = ((sample @ l2_normalize(each).T).max(axis=1).sum() for each in (words, start))
    assert covered >= before * (1 - 1e-6)
    labels = (unit @ l2_normalize(words).T).argmax(axis=1)
    assert_allclose(words, [sample[labels == k].mean(axis=0) for k in range(7)], rtol=1e-4)


def test_directions_that_repeat_make_no_word_twice():
    sample = np.outer([1.0, 2.0, 3.0, 0.0], [1.0, -1.0])
    assert_allclose(fit_cosine_codebook(sample[:3], 9, random_state=0), [[2.0, -2.0]])
    assert_allclose(fit_cosine_codebook(np.zeros((3, 2)), 2, random_state=0), [[0.0, 0.0]])
