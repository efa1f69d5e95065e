"""Rankers and scikit-learn's neighbours end pipelines whose encoders are searched with them."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

from skdeepenc.encoders import BagOfVisualWords, GlobalPooler, MOPVLADEncoder
from skdeepenc.maps import FeatureMaps
from skdeepenc.retrieval import LayerFusionRanker, NearestNeighborRanker


@pytest.fixture
def scenes(rng):
    """Maps of 30 images in 3 classes: a class is what its positions are drawn around."""
    labels = np.repeat(np.arange(3), 10)
    centers = 2 * rng.random((3, 4, 6))
    picks = rng.integers(4, size=(30, 3, 3))
    values = centers[labels[:, None, None], picks] + rng.random((30, 3, 3, 6))
    return FeatureMaps.from_arrays(values.astype(np.float32)), labels


def test_thresholds_power_and_clusters_are_searched_together(scenes):
    maps, labels = scenes
    vlad = MOPVLADEncoder(n_components=4, n_output_components=5, random_state=0)
    blocks = FeatureUnion([("average", GlobalPooler()), ("vlad", vlad)])
    pipeline = Pipeline([("blocks", blocks), ("rank", LayerFusionRanker(layers=(6, 5)))])
    grid = {
        "blocks__vlad__n_clusters": [2, 3],
        "rank__thresholds": [(0.2, 1.0), (0.8, 1.0)],
        "rank__power": [0.2, 0.45],
    }
    search = GridSearchCV(pipeline, grid, cv=StratifiedKFold(2), error_score="raise")
    search.fit(maps, labels)
    assert len(search.cv_results_["params"]) == 8
    assert 0.4 < search.best_score_ <= 1
    assert search.best_estimator_.score(maps, labels) > 0.4


def test_dense_and_word_blocks_are_fused_from_one_union(scenes):
    maps, labels = scenes
    words = BagOfVisualWords(n_words=12, random_state=0).fit(maps)
    union = FeatureUnion([("average", GlobalPooler()), ("words", words)])
    ranker = LayerFusionRanker(layers=(6, words.n_words_))
    stacked = make_pipeline(union, ranker).fit(maps, labels)
    apart = [GlobalPooler().fit_transform(maps), words.transform(maps)]
    assert np.allclose(stacked.transform(maps), LayerFusionRanker().fit(apart).transform(apart))


def test_scikit_learns_neighbours_follow_any_encoder(scenes):
    maps, labels = scenes
    encoder = GlobalPooler(method="gem")
    classifier = make_pipeline(encoder, KNeighborsClassifier(3)).fit(maps, labels)
    assert classifier.score(maps, labels) > 0.6
    vectors = encoder.fit_transform(maps)
    theirs = NearestNeighbors(n_neighbors=5, metric="cosine").fit(vectors).kneighbors(vectors)[1]
    ours = NearestNeighborRanker(n_neighbors=5).fit(vectors).rank(vectors)
    assert np.array_equal(ours, theirs)
