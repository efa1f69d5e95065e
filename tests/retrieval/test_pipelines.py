"""Rankers and scikit-learn's neighbours end pipelines whose encoders are searched with them."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

import skdeepenc
from skdeepenc.encoders import BagOfVisualWords, GlobalPooler, MOPVLADEncoder
from skdeepenc.maps import FeatureMaps
from skdeepenc.retrieval import (
    LayerFusionRanker,
    NearestNeighborRanker,
    RetrievalPipeline,
    make_retrieval_pipeline,
)


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


@pytest.fixture
def pipeline():
    return make_retrieval_pipeline(GlobalPooler(), NearestNeighborRanker(n_neighbors=3))


def test_a_retrieval_pipeline_ranks_as_its_ranker_does(scenes, pipeline):
    maps, labels = scenes
    pipeline.fit(maps, labels, nearestneighborranker__names=[f"{i}.jpg" for i in range(30)])
    plain = make_pipeline(GlobalPooler(), NearestNeighborRanker(n_neighbors=3)).fit(maps, labels)
    encoder, ranker = plain
    vectors = encoder.transform(maps[:4])
    indices = ranker.rank(vectors)
    assert np.array_equal(pipeline.rank(maps[:4]), indices)
    assert pipeline.rank(maps[:4], 1, return_names=True)[2].tolist() == ["2.jpg"]
    assert np.array_equal(pipeline.kneighbors(maps[:4])[0], ranker.kneighbors(vectors)[0])
    assert np.array_equal(pipeline.kneighbors(return_distance=False), ranker.kneighbors()[1])
    near = pipeline.radius_neighbors(maps[:4], 0.01, sort_results=True)[1]
    assert [row[0] for row in near] == [0, 1, 2, 3]
    assert pipeline.score(maps, labels) == plain.score(maps, labels)
    assert np.array_equal(pipeline[:-1].transform(maps[:4]), vectors)


def test_a_retrieval_pipeline_grows_and_shrinks(scenes, pipeline, tmp_path):
    maps, labels = scenes
    pipeline.fit(maps[:20], labels[:20]).partial_fit(maps[20:], labels[20:]).remove([0, 1])
    skdeepenc.save(pipeline, tmp_path / "pipeline.skops")
    for again in (
        pickle.loads(pickle.dumps(pipeline)),
        skdeepenc.load(tmp_path / "pipeline.skops"),
    ):
        assert isinstance(again, RetrievalPipeline)
        assert again.rank(maps[2:], 1).ravel().tolist() == list(range(28))


def test_a_retrieval_pipeline_of_one_step_and_one_without_a_ranker(scenes, pipeline):
    with pytest.raises(NotFittedError):
        pipeline.rank(scenes[0])
    X = np.eye(3)
    assert make_retrieval_pipeline(NearestNeighborRanker()).fit(X).rank(X, 1).shape == (3, 1)
    assert not hasattr(make_retrieval_pipeline(GlobalPooler()), "rank")


def test_grid_search_stratifies_the_folds_of_a_retrieval_pipeline(scenes, pipeline):
    maps, labels = scenes  # sorted by label: KFold(3) would put each label into a fold of its own
    search = GridSearchCV(pipeline, {"globalpooler__method": ["avg", "max"]}, cv=3)
    stratified = clone(search).set_params(cv=StratifiedKFold(3)).fit(maps, labels)
    search.fit(maps, labels)
    for key in ("mean_test_score", "std_test_score"):
        assert np.array_equal(search.cv_results_[key], stratified.cv_results_[key])
    assert search.best_estimator_.rank(maps[:2]).shape == (2, 3)
    assert cross_val_score(pipeline, maps, labels, cv=3).shape == (3,)


def test_only_pipelines_that_rank_have_their_folds_stratified(pipeline):
    assert is_classifier(pipeline)
    assert not is_classifier(make_retrieval_pipeline(GlobalPooler()))
    assert not is_classifier(NearestNeighborRanker())


@pytest.mark.filterwarnings("ignore:Scoring failed:UserWarning")  # each of them names the splitter
@pytest.mark.filterwarnings("ignore:One or more of the test scores:UserWarning")
def test_a_plain_pipeline_in_a_search_by_default_is_warned_of_and_ends_in_one_error_on_request(
    scenes,
):
    maps, labels = scenes
    plain = make_pipeline(GlobalPooler(), NearestNeighborRanker())
    search = GridSearchCV(plain, {"globalpooler__method": ["avg"]}, cv=3)
    assert np.isnan(search.fit(maps, labels).cv_results_["mean_test_score"]).all()
    with pytest.warns(UserWarning, match=r"Take cv=StratifiedKFold"):
        search.fit(maps, labels)
    with pytest.raises(ValueError, match=r"Take cv=StratifiedKFold"):
        search.set_params(error_score="raise").fit(maps, labels)
