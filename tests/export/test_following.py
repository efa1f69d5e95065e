"""What follows an encoder returns in the graph what scikit-learn returns."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import (
    LogisticRegression,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.metrics.pairwise import linear_kernel
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC

from skdeepenc.backbones.running.session import run_apart
from skdeepenc.encoders import PowerLawWhitening, SupervisedWhitening
from skdeepenc.exceptions import ExportError
from skdeepenc.export import to_onnx
from skdeepenc.export.registry import convert
from skdeepenc.export.tensor import Tensor
from skdeepenc.export.writer import GraphWriter
from skdeepenc.functional import l2_normalize, power_normalize
from skdeepenc.maps import FeatureMaps
from skdeepenc.retrieval import (
    AdaptiveChannelRanker,
    ASMKRanker,
    DiffusionRanker,
    KReciprocalRanker,
    LocalRanker,
    NearestNeighborRanker,
    RefiningRanker,
)

RNG = np.random.default_rng(0)
CENTRES = RNG.normal(size=(3, 6))
Y = np.arange(90) % 3
X = (CENTRES[Y] + RNG.normal(size=(90, 6))).astype(np.float32)
QUERIES = (CENTRES[np.arange(21) % 3] + RNG.normal(size=(21, 6))).astype(np.float32)
NAMES = np.array(["door", "roof", "tower", "wall"])


def outputs_of(estimator, vectors=QUERIES):
    """Return what the graph of an estimator gives, by name."""
    g = GraphWriter()
    made = convert(g, estimator, g.input("x", np.float32, ["N", vectors.shape[1]]))
    made = made if isinstance(made, dict) else {"vector": made}
    made = {name: tensor for name, tensor in made.items() if isinstance(tensor, Tensor)}
    for name, tensor in made.items():
        whole = name in ("class", "neighbors")
        g.output(name, tensor, None, np.int64 if whole else np.float32)
    return dict(zip(made, run_apart(g.model().SerializeToString(), vectors), strict=True))


TRANSFORMERS = [
    Normalizer(),
    Normalizer("l1"),
    Normalizer("max"),
    StandardScaler(),
    StandardScaler(with_mean=False),
    StandardScaler(with_std=False),
    PCA(3),
    PCA(3, whiten=True),
    PowerLawWhitening(3),
    SupervisedWhitening(),
    SupervisedWhitening(2, shrinkage=0.3),
    TruncatedSVD(3, random_state=0),
    FunctionTransformer(),
    FunctionTransformer(l2_normalize),
    FunctionTransformer(power_normalize, kw_args={"exponent": 0.3}),
    FeatureUnion([("pca", PCA(2)), ("all", "passthrough"), ("none", "drop")]),
    FeatureUnion([("pca", PCA(2)), ("norm", Normalizer())], transformer_weights={"pca": 2.0}),
    make_pipeline(make_pipeline(StandardScaler(), "passthrough"), Normalizer()),
]


@pytest.mark.parametrize("transformer", TRANSFORMERS)
def test_vectors_are_those_of_the_transformer(transformer):
    transformer.fit(X, Y)
    expected = transformer.transform(QUERIES)
    assert_allclose(outputs_of(transformer)["vector"], expected, rtol=1e-4, atol=1e-5)


CLASSIFIERS = [
    LinearSVC(),
    SVC(kernel="linear"),
    SVC(kernel="linear", decision_function_shape="ovo"),
    SVC(kernel="linear", break_ties=True),
    SVC(),
    SVC(kernel="poly", degree=2, coef0=1.0, decision_function_shape="ovo"),
    NuSVC(kernel="sigmoid", nu=0.2, gamma=0.1),
    LinearSVC(multi_class="crammer_singer", C=0.1, max_iter=100_000, random_state=0),
    LogisticRegression(),
    SGDClassifier(random_state=0),
    SGDClassifier(loss="log_loss", random_state=0),
    SGDClassifier(loss="modified_huber", random_state=0),
    RidgeClassifier(),
    LinearDiscriminantAnalysis(),
    LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    KNeighborsClassifier(3),
    KNeighborsClassifier(5, weights="distance"),
    KNeighborsClassifier(4, metric="cosine"),
    KNeighborsClassifier(4, metric="manhattan", weights="distance"),
    CalibratedClassifierCV(LinearSVC(), cv=3),
    CalibratedClassifierCV(LinearSVC(), cv=3, ensemble=False),
    CalibratedClassifierCV(LogisticRegression(), cv=3, method="isotonic"),
    CalibratedClassifierCV(SVC(), cv=3, method="isotonic", ensemble=False),
    make_pipeline(LinearDiscriminantAnalysis(), KNeighborsClassifier(3)),
    CalibratedClassifierCV(KNeighborsClassifier(5), cv=3),
    make_pipeline(StandardScaler(), PCA(4), LogisticRegression()),
    GridSearchCV(make_pipeline(Normalizer(), LinearSVC()), {"linearsvc__C": [0.1, 1]}, cv=2),
]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_scores_probabilities_and_classes_are_those_of_the_classifier(classifier, n_classes):
    chosen = n_classes > Y
    classifier.fit(X[chosen], NAMES[Y[chosen]])
    outputs = outputs_of(classifier)
    if hasattr(classifier, "decision_function"):
        expected = classifier.decision_function(QUERIES)
        assert outputs["scores"].shape == expected.shape
        assert_allclose(outputs["scores"], expected, rtol=1e-3, atol=1e-4)
    if hasattr(classifier, "predict_proba"):
        expected = classifier.predict_proba(QUERIES)
        assert_allclose(outputs["probabilities"], expected, rtol=1e-3, atol=1e-4)
    assert_array_equal(classifier.classes_[outputs["class"]], classifier.predict(QUERIES))


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.filterwarnings("ignore:The `probability` parameter was deprecated")
def test_pairs_are_coupled_as_libsvm_does(kernel, n_classes):
    labels = np.arange(90) % n_classes
    classifier = SVC(kernel=kernel, probability=True, random_state=0).fit(X, NAMES[labels])
    expected = classifier.predict_proba(QUERIES)
    assert_allclose(outputs_of(classifier)["probabilities"], expected, atol=1e-5)


def test_temperatures_are_scaled_as_scikit_learn_does():
    try:
        classifier = CalibratedClassifierCV(LinearSVC(), cv=3, method="temperature").fit(X, Y)
    except ValueError:
        pytest.skip("this scikit-learn has no temperature scaling")
    expected = classifier.predict_proba(QUERIES)
    assert_allclose(outputs_of(classifier)["probabilities"], expected, rtol=1e-3, atol=1e-4)


METRICS = ["euclidean", "sqeuclidean", "cosine", "correlation", "manhattan", "chebyshev"]
METRICS += ["canberra", "minkowski"]


@pytest.mark.parametrize("metric", METRICS)
def test_neighbors_are_those_that_scikit_learn_finds(metric):
    index = KNeighborsClassifier(n_neighbors=7, metric=metric, p=3, weights="distance").fit(X, Y)
    outputs = outputs_of(index)
    assert_array_equal(outputs["neighbors"], index.kneighbors(QUERIES, return_distance=False))
    assert_allclose(outputs["probabilities"], index.predict_proba(QUERIES), atol=1e-5)


def test_neighbors_of_no_classes_are_found_too():
    index = NearestNeighbors(n_neighbors=7).fit(X)
    expected = index.kneighbors(QUERIES, return_distance=False)
    assert_array_equal(outputs_of(index)["neighbors"], expected)


def test_an_image_of_the_gallery_votes_alone():
    classifier = KNeighborsClassifier(5, weights="distance").fit(X, Y)
    assert_array_equal(outputs_of(classifier, X)["probabilities"], np.eye(3)[Y])


@pytest.mark.parametrize(
    "ranker",
    [
        NearestNeighborRanker(),
        NearestNeighborRanker(metric="inner_product", n_neighbors=4),
        NearestNeighborRanker(metric="euclidean", n_neighbors=9),
        NearestNeighborRanker(n_neighbors=9, expansion=3),
        NearestNeighborRanker(n_neighbors=9, expansion=5, alpha=2.5),
    ],
)
def test_rankings_are_those_of_the_ranker(ranker):
    ranker.fit(X)
    outputs = outputs_of(ranker)
    assert_allclose(outputs["scores"], ranker.transform(QUERIES), atol=1e-4)
    assert_array_equal(outputs["neighbors"], ranker.rank(QUERIES))


@pytest.mark.parametrize("quantize", [None, "sign"])
@pytest.mark.parametrize("settings", [(None, 0.0), (1, 0.0), (1, 0.5), (50, 0.5)])
def test_channels_are_those_that_each_query_activates_most(quantize, settings):
    """Two channels of two pooled values, and their average activations."""
    n_channels, weight = settings
    for n_guidance in (2, None):
        ranker = AdaptiveChannelRanker(
            n_channels=n_channels,
            n_guidance_channels=n_guidance,
            quantize=quantize,
            average_weight=weight,
            n_neighbors=8,
        ).fit(X)
        outputs = outputs_of(ranker)
        assert_allclose(outputs["scores"], ranker.transform(QUERIES), rtol=1e-4, atol=1e-4)
        assert_array_equal(outputs["neighbors"], ranker.rank(QUERIES))


def test_similarities_to_a_gallery_may_be_the_vectors():
    pipeline = make_pipeline(NearestNeighborRanker(), LinearSVC()).fit(X, Y)
    expected = pipeline.decision_function(QUERIES)
    assert_allclose(outputs_of(pipeline)["scores"], expected, rtol=1e-3, atol=1e-4)


def test_a_vector_without_length_stays_zero():
    assert not outputs_of(Normalizer().fit(X), np.zeros((1, 6), np.float32))["vector"].any()


def mean_of_batch(x):
    return x - x.mean(axis=0)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (SVC(kernel=linear_kernel), r"kernel=linear_kernel.*'rbf'"),
        (KNeighborsClassifier(metric="braycurtis"), r"metric='braycurtis'.*cosine"),
        (KNeighborsClassifier(weights=mean_of_batch), r"weighs votes.*uniform"),
        (FunctionTransformer(mean_of_batch), r"function mean_of_batch.*power_normalize"),
        (FunctionTransformer(l2_normalize, kw_args={"axis": 0}), r"axis=0 mixes.*axis=-1"),
    ],
)
def test_what_has_no_graph_is_refused_with_a_cure(estimator, message):
    with pytest.raises(ExportError, match=message):
        outputs_of(estimator.fit(X, Y))


@pytest.mark.parametrize("ranker", [KReciprocalRanker(), DiffusionRanker(), RefiningRanker()])
def test_a_ranker_of_what_a_gallery_says_of_itself_is_left_out(ranker):
    name = type(ranker).__name__
    with pytest.raises(ExportError, match=rf"{name} has no graph.*pipeline\[:-1\].*NearestNei"):
        outputs_of(ranker.fit(X))


@pytest.mark.parametrize("ranker", [LocalRanker(), ASMKRanker(n_words=4)])
def test_a_ranker_of_maps_is_replaced_by_an_encoder(ranker):
    maps = FeatureMaps.from_arrays([[x.reshape(5, 3, 6)] for x in X.reshape(6, 15, 6)])
    with pytest.raises(ExportError, match=r"Ranker has no graph.*an encoder and a NearestNei"):
        to_onnx(ranker.fit(maps), input="maps")


def test_what_is_not_fitted_is_refused():
    with pytest.raises(ExportError, match="Only what is fitted"):
        outputs_of(LinearSVC())
