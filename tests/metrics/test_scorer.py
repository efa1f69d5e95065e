"""The scorer by lists of right answers, by hand and inside a grid search."""

import pickle

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, KFold

from skdeepenc.metrics import retrieval_scorer
from skdeepenc.retrieval import NearestNeighborRanker, make_retrieval_pipeline

NAMES = np.array(["a", "b", "c", "d"])
X = np.array([[1.0, 0.0], [0.9, 0.3], [0.6, 0.8], [0.0, 1.0]])


def test_a_query_that_no_list_names_is_neither_right_nor_wrong():
    ranker = NearestNeighborRanker().fit(X, NAMES)
    assert retrieval_scorer({"a": ["b"]})(ranker, X, NAMES) == 1.0
    # Named by its own list, as in Oxford5k, it counts.
    assert retrieval_scorer({"a": ["a", "c"]})(ranker, X, NAMES) == pytest.approx(
        (2 + 1 / 2 + 2 / 3) / 4
    )


def test_junk_and_positives_outside_the_gallery_do_not_count():
    ranker = NearestNeighborRanker().fit(X[1:], NAMES[1:])
    scorer = retrieval_scorer({"a": ["c", "elsewhere"]}, junk={"a": ["b"]})
    assert scorer(ranker, X[:1], NAMES[:1]) == 1.0


def test_of_equally_similar_images_the_first_comes_first():
    ranker = NearestNeighborRanker().fit(np.repeat(X[:1], 40, axis=0), np.arange(40))
    scorer = retrieval_scorer({"q": [0]})
    assert scorer(ranker, X[:1], ["q"]) == 1.0
    assert retrieval_scorer({"q": [1]})(ranker, X[:1], ["q"]) == 0.25


def test_the_gallery_of_a_pipeline_is_that_of_its_last_step():
    scorer = retrieval_scorer({"a": ["b"]})
    assert (
        scorer(make_retrieval_pipeline(PCA(), NearestNeighborRanker()).fit(X, NAMES), X, NAMES) == 1
    )
    with pytest.raises(ValueError, match="PCA has no labels_"):
        scorer(PCA().fit(X), X, NAMES)


def test_what_is_right_is_never_junk():
    ranker = NearestNeighborRanker().fit(X, NAMES)
    scorer = retrieval_scorer({"a": ["b", "d"]}, junk={"a": ["b", "c"]})
    assert scorer(ranker, X[:1], NAMES[:1]) == 1.0  # a and c are ignored, b and d are not
    queries = retrieval_scorer({"a": ["b"], "d": ["a"]}, junk={"d": ["b", "c"]})
    assert queries(ranker, X, NAMES) == 1.0


def test_other_measures_and_repr():
    def first_is_right(rankings, positives, junk):
        return np.mean(
            [ranked[0] in right for ranked, right in zip(rankings, positives, strict=True)]
        )

    scorer = retrieval_scorer({"a": ["b"], "d": ["a"]}, measure=first_is_right)
    ranker = NearestNeighborRanker().fit(X[1:3], NAMES[1:3])
    assert scorer(ranker, X[[0, 3]], NAMES[[0, 3]]) == 0.5
    assert repr(scorer) == "retrieval_scorer(2 queries, measure=first_is_right)"


@pytest.mark.filterwarnings("ignore:Persisting input arguments")  # a busy machine is not a failure
def test_searches_a_pipeline_in_two_processes(tmp_path):
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(8), 6)
    vectors = np.hstack([rng.normal(size=(8, 3))[groups] * 3, 10 * rng.normal(size=(48, 3))])
    names = np.array([f"image{i}" for i in range(48)])
    positives = {
        name: names[(groups == group) & (names != name)].tolist()
        for name, group in zip(names, groups, strict=True)
    }
    steps = PCA(random_state=0), NearestNeighborRanker()
    pipeline = make_retrieval_pipeline(*steps, memory=str(tmp_path))
    search = GridSearchCV(
        pipeline,
        {"pca__n_components": [2, 6], "nearestneighborranker__expansion": [0, 2]},
        scoring=retrieval_scorer(positives),
        cv=KFold(3),
        n_jobs=2,
        error_score="raise",
    ).fit(vectors, names)
    assert np.ptp(search.cv_results_["mean_test_score"]) > 0
    assert 0 < search.best_score_ <= 1


def test_says_what_is_missing():
    scorer = pickle.loads(pickle.dumps(retrieval_scorer({"a": ["b"]})))
    with pytest.raises(ValueError, match="names as y"):
        scorer(NearestNeighborRanker().fit(X), X, NAMES)
