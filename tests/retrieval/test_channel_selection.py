"""AdaptiveChannelRanker against Equation 3, written out, and its own promises."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepenc.retrieval import AdaptiveChannelRanker, NearestNeighborRanker, SignCodes

N_CHANNELS, LENGTH = 7, 64


def random_images(n_images, rng, dtype=np.float32):
    """Pooled vectors of 7 channels, some of them zero, and then the channels' activations."""
    activations = np.maximum(rng.normal(size=(n_images, N_CHANNELS)), 0)
    pooled = rng.normal(size=(n_images, N_CHANNELS, LENGTH)) * (activations > 0)[..., None]
    return np.hstack([pooled.reshape(n_images, -1), activations]).astype(dtype)


def literal_similarities(queries, gallery, n_channels, quantize):
    """Sum inner products over the query's strongest channels, pair by pair."""
    similarities = np.zeros((len(queries), len(gallery)))
    for i, query in enumerate(queries):
        strongest = np.argsort(-query[-N_CHANNELS:], kind="stable")[:n_channels]
        for j, image in enumerate(gallery):
            for k in strongest:
                channel = slice(k * LENGTH, (k + 1) * LENGTH)
                pair = query[channel].astype(float), image[channel].astype(float)
                if quantize == "sign":
                    pair = np.sign(pair[0]), np.sign(pair[1])
                similarities[i, j] += pair[0] @ pair[1]
    return similarities


@parametrize_with_checks(
    [AdaptiveChannelRanker(), AdaptiveChannelRanker(quantize=None, n_channels=2)]
)
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("quantize", ["sign", None])
@pytest.mark.parametrize("n_channels", [1, 3, 7, 50, None])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_similarities_and_ranks_are_those_of_the_equation(rng, quantize, n_channels, dtype):
    gallery, queries = random_images(20, rng, dtype), random_images(6, rng, dtype)
    ranker = AdaptiveChannelRanker(
        n_channels=n_channels, n_guidance_channels=N_CHANNELS, quantize=quantize
    ).fit(gallery)
    expected = literal_similarities(queries, gallery, n_channels, quantize)
    similarities = ranker.transform(queries)
    assert similarities.dtype == dtype
    assert_allclose(similarities, expected, rtol=1e-5, atol=1e-4)
    assert_array_equal(ranker.rank(queries), np.argsort(-similarities, axis=1, kind="stable"))


@pytest.mark.parametrize("quantize", ["sign", None])
def test_averages_count_beside_the_channels_by_their_cosine_and_weight(rng, quantize):
    gallery, queries = random_images(20, rng, float), random_images(6, rng, float)
    ranker = AdaptiveChannelRanker(
        n_channels=3, n_guidance_channels=N_CHANNELS, quantize=quantize, average_weight=0.3
    ).fit(gallery[:12])
    ranker.partial_fit(gallery[12:])
    expected = literal_similarities(queries, gallery, 3, quantize)
    for i, query in enumerate(queries):
        for j, image in enumerate(gallery):
            own = np.sqrt(literal_similarities([query], [query], 3, quantize).item())
            other = np.sqrt(literal_similarities([image], [image], None, quantize).item())
            averages = query[-N_CHANNELS:], image[-N_CHANNELS:]
            cosine = averages[0] @ averages[1] / np.prod(np.linalg.norm(averages, axis=1))
            expected[i, j] += 0.3 * own * other * cosine
    assert_allclose(ranker.transform(queries), expected, rtol=1e-6)


def test_more_channels_than_there_are_compare_all(rng):
    gallery = random_images(20, rng)
    ranker = AdaptiveChannelRanker(n_channels=50, n_guidance_channels=N_CHANNELS).fit(gallery)
    assert ranker.n_channels_ == N_CHANNELS
    everything = AdaptiveChannelRanker(n_channels=None, n_guidance_channels=N_CHANNELS).fit(gallery)
    assert everything.n_channels_ == N_CHANNELS
    assert_array_equal(ranker.transform(gallery), everything.transform(gallery))


def test_signs_are_kept_in_two_bits(rng):
    ranker = AdaptiveChannelRanker(n_guidance_channels=N_CHANNELS).fit(random_images(20, rng))
    assert isinstance(ranker.gallery_, SignCodes)
    assert ranker.gallery_.nbytes == 20 * N_CHANNELS * LENGTH // 4


def test_a_query_without_activation_is_similar_to_nothing(rng):
    gallery = random_images(20, rng)
    ranker = AdaptiveChannelRanker(n_guidance_channels=N_CHANNELS).fit(gallery)
    assert_array_equal(ranker.transform(np.zeros_like(gallery[:2])), np.zeros((2, 20)))


def test_columns_may_be_channels_themselves():
    ranker = AdaptiveChannelRanker(n_channels=1, quantize=None)
    ranker.fit([[1.0, 5.0, 2.0], [3.0, 0.0, 1.0]])
    assert_array_equal(ranker.transform([[9.0, 1.0, 4.0]]), [[9.0, 27.0]])


@pytest.mark.parametrize("n_columns", [7, 5, 20])
def test_columns_that_are_no_vectors_and_activations_are_refused(n_columns):
    ranker = AdaptiveChannelRanker(n_guidance_channels=N_CHANNELS)
    with pytest.raises(ValueError, match=f"X has n_features={n_columns}, which cannot be 7 pooled"):
        ranker.fit(np.ones((3, n_columns)))


@pytest.mark.parametrize("quantize", ["sign", None])
def test_a_query_in_the_gallery_is_no_hit(rng, quantize):
    gallery, labels = random_images(20, rng), np.arange(20) // 2
    ranker = AdaptiveChannelRanker(n_guidance_channels=N_CHANNELS, quantize=quantize)
    precision = ranker.fit(gallery, labels).score(gallery, labels)
    others = ~np.eye(20, dtype=bool)
    similarities = np.where(others, ranker.transform(gallery), -np.inf)
    order = np.argsort(-similarities, axis=1, kind="stable")
    ranks = np.argmax(labels[order] == labels[:, None], axis=1)
    # One positive a query: the trapezoid's left precision is 1 for the first place, else 0.
    expected = np.where(ranks == 0, 1, 1 / (ranks + 1) / 2).mean()
    assert_allclose(precision, expected)


def test_the_gallery_can_be_its_own_queries(rng):
    gallery = random_images(20, rng)
    ranker = AdaptiveChannelRanker(n_channels=3, n_guidance_channels=N_CHANNELS).fit(gallery)
    _, indices = ranker.kneighbors(n_neighbors=4)
    similarities = np.where(np.eye(20, dtype=bool), -np.inf, ranker.transform(gallery))
    found = np.take_along_axis(similarities, indices, axis=1)
    assert_array_equal(found, -np.sort(-similarities, axis=1)[:, :4])


@pytest.mark.parametrize("quantize", ["sign", None])
def test_a_gallery_in_parts_is_the_whole_one(rng, quantize):
    gallery, labels = random_images(20, rng), np.arange(20) % 3
    ranker = AdaptiveChannelRanker(n_guidance_channels=N_CHANNELS, quantize=quantize)
    whole = pickle.loads(pickle.dumps(ranker)).fit(gallery, labels)
    ranker.partial_fit(gallery[:8], labels[:8]).partial_fit(gallery[8:], labels[8:])
    assert_array_equal(ranker.transform(gallery), whole.transform(gallery))
    assert ranker.score(gallery, labels) == whole.score(gallery, labels)
    with pytest.raises(ValueError, match="Give y for all images"):
        ranker.partial_fit(gallery)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_batches_and_threads_change_nothing(rng, n_jobs):
    gallery = random_images(20, rng)
    ranker = AdaptiveChannelRanker(n_guidance_channels=N_CHANNELS, n_jobs=n_jobs).fit(gallery)
    expected = ranker.transform(gallery)
    with config_context(working_memory=0.1):
        assert_array_equal(ranker.transform(gallery), expected)
        assert_array_equal(ranker.rank(gallery), np.argsort(-expected, axis=1, kind="stable"))


def test_all_channels_without_signs_are_the_inner_product(rng):
    gallery = random_images(20, rng, np.float64)
    vectors = gallery[:, :-N_CHANNELS]
    ranker = AdaptiveChannelRanker(
        n_channels=None, n_guidance_channels=N_CHANNELS, quantize=None
    ).fit(gallery)
    plain = NearestNeighborRanker(metric="inner_product").fit(vectors)
    assert_allclose(ranker.transform(gallery), plain.transform(vectors))


def test_grid_search_tunes_the_number_of_channels(rng):
    gallery, labels = random_images(30, rng), np.arange(30) % 3
    pipeline = make_pipeline(
        FunctionTransformer(), AdaptiveChannelRanker(n_guidance_channels=N_CHANNELS)
    )
    grid = {"adaptivechannelranker__n_channels": [1, 3, None]}
    search = GridSearchCV(pipeline, grid, cv=3).fit(gallery, labels)
    assert 0 < search.best_score_ <= 1


def test_fifty_channels_of_highest_activation_are_compared_the_first_of_equal_ones():
    vectors = np.ones((2, 2 * 60))
    images = np.hstack([vectors, np.ones((2, 60))])
    images[:, 2 * 60 + 55] = 2
    ranker = AdaptiveChannelRanker(n_guidance_channels=60).fit(images)
    assert ranker.n_channels_ == 50
    assert_allclose(ranker.transform(images), 100)  # of 2 values per channel
    images[1, 2 * 49 : 2 * 55] = -1  # places behind the fifty
    assert_allclose(ranker.partial_fit(images[1:]).transform(images[:1])[0, 2], 100)
