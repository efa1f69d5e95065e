"""image_pipeline: the right parts for each task and network, in pipelines as any other."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

import skdeepenc
from skdeepenc import NearestNeighborRanker, image_pipeline
from skdeepenc.exceptions import ExportError, ModelError
from skdeepenc.images import Whole

EXPORTS = Path(__file__).parent / "backbones" / "exports"
pytestmark = pytest.mark.filterwarnings("ignore::skdeepenc.exceptions.ModelWarning")
TASKS = ["classification", "instance-retrieval", "category-retrieval", "duplicates"]


@pytest.fixture(scope="module")
def images():
    """Eight images, the odd ones brighter."""
    images = np.random.default_rng(0).integers(0, 128, (8, 72, 96, 3), dtype=np.uint8)
    images[1::2] += 127
    return list(images)


@pytest.fixture(scope="module")
def classifier(images):
    return image_pipeline(size="fast", random_state=0).fit(images, ["dark", "light"] * 4)


def names(pipeline):
    return [type(step).__name__ for _, step in pipeline.steps]


@pytest.mark.parametrize(
    ("task", "encoder", "last"),
    [
        ("classification", "FeatureUnion", "LinearSVC"),
        ("instance-retrieval", "FeatureUnion", "AdaptiveChannelRanker"),
        ("category-retrieval", "GlobalPooler", "NearestNeighborRanker"),
        ("duplicates", "GlobalPooler", "NearestNeighborRanker"),
    ],
)
def test_each_task_has_the_parts_that_measured_best(task, encoder, last):
    pipeline = image_pipeline(task)
    assert isinstance(pipeline, Pipeline)
    assert names(pipeline) == ["ActivationExtractor", encoder, last]


def test_what_may_be_spent_decides_on_scales_and_words():
    vlad = [image_pipeline(size=size) for size in ("fast", "default", "best")]
    assert [pipeline[0].views.n_scales for pipeline in vlad] == [1, 3, 4]
    unions = [pipeline[1] for pipeline in vlad]
    assert [union.transformer_list[0][1].n_clusters for union in unions] == [64, 64, 128]
    weights = [union.transformer_weights["globalpooler"] for union in unions]
    assert_allclose(weights, np.sqrt([1, 3, 4]))
    edges = [
        image_pipeline("instance-retrieval", size=size)[0].views.base
        for size in ("fast", "default", "best")
    ]
    assert edges == [64, 91, 128]


@pytest.mark.parametrize(
    ("model", "task", "encoder"),
    [
        ("convnext-torchscript-batch", "classification", "FeatureUnion"),
        ("swin-torchscript-nothing", "classification", "FeatureUnion"),  # at its own size alone
        ("registers", "classification", "GlobalPooler"),
        ("registers", "instance-retrieval", "MOPVLADEncoder"),
        ("siglip-torchscript-batch", "category-retrieval", "GlobalPooler"),  # without class token
        ("vgg_view-torchscript-nothing", "instance-retrieval", "FeatureUnion"),
    ],
)
def test_any_network_will_do(images, model, task, encoder):
    pipeline = image_pipeline(task, EXPORTS / f"{model}.onnx", random_state=0)
    assert names(pipeline)[1] == encoder
    pipeline.fit(images, ["dark", "light"] * 4)
    if task == "classification":
        assert set(pipeline.predict(images[:2])) <= {"dark", "light"}
    else:
        assert_array_equal(pipeline.rank(images[:2], 1).ravel(), [0, 1])


def test_transformers_give_their_class_token_beside_the_average_of_patches():
    pipeline = image_pipeline(model=EXPORTS / "registers.onnx")
    layer, token = pipeline[0].layers
    assert token == f"{layer}[cls]"
    assert pipeline[1].method == ["cls", "avg"]


def test_it_classifies(classifier, images):
    assert_array_equal(classifier.predict(images), ["dark", "light"] * 4)


@pytest.mark.parametrize("task", TASKS[1:])
def test_it_finds_an_image_by_itself(images, task):
    pipeline = image_pipeline(task, random_state=0).fit(images, ["dark", "light"] * 4)
    assert_array_equal(pipeline.rank(images[2:4], 1).ravel(), [2, 3])
    assert 0 <= pipeline.score(images[:4], ["dark", "light"] * 2) <= 1


def test_the_last_step_may_be_another(images):
    pipeline = image_pipeline(size="fast", estimator=LogisticRegression(), random_state=0)
    assert pipeline.fit(images, [0, 1] * 4).predict_proba(images[:1]).shape == (1, 2)
    ranker = image_pipeline(size="fast", estimator=NearestNeighborRanker(), random_state=0)
    assert_array_equal(ranker.fit(images).rank(images[:1], 1), [[0]])


def test_another_ranker_of_instances_is_given_averages():
    """Activations beside the pooled vectors are for the ranker that chooses channels by them."""
    pipeline = image_pipeline("instance-retrieval", estimator=NearestNeighborRanker())
    assert names(pipeline)[1:] == ["GlobalPooler", "NearestNeighborRanker"]


def test_instances_are_pooled_under_the_guidance_of_the_deepest_map():
    pipeline = image_pipeline("instance-retrieval")
    pooled, activations = (part for _, part in pipeline[1].transformer_list)
    assert pipeline[0].layers == ["conv4", "conv5"]
    assert (pooled.feature_layer, pooled.guidance_layer) == ("conv4", "conv5")
    assert (activations.layer, activations.normalize) == ("conv5", False)
    assert pooled.normalize
    ranker = pipeline[2]
    assert (ranker.n_channels, ranker.quantize, ranker.average_weight) == (50, None, 0.1)


def test_a_seed_repeats_all_that_is_drawn(images):
    vectors = [
        image_pipeline(size="fast", random_state=3)[:2].fit_transform(images) for _ in range(2)
    ]
    assert_array_equal(*vectors)


def test_it_is_kept_as_any_other_pipeline(classifier, images, tmp_path):
    skdeepenc.save(classifier, tmp_path / "classifier.skops")
    again = skdeepenc.load(tmp_path / "classifier.skops")
    assert_allclose(again.decision_function(images), classifier.decision_function(images))


@pytest.mark.parametrize("task", TASKS)
def test_it_is_deployed_as_one_graph(task, images, tmp_path):
    pipeline = image_pipeline(task, size="fast", random_state=0).fit(images, ["dark", "light"] * 4)
    pipeline[0].views = (pipeline[0].views or Whole()).set_params(decoding="full")
    report = pytest.importorskip("skdeepenc.export").to_onnx(
        pipeline, tmp_path / "pipeline.onnx", images=images[:2]
    )
    assert report.min_cosine > 0.999
    assert report.class_agreement in (1, None)  # None of a ranker


def test_a_transformer_is_deployed_at_one_size_of_images(images):
    to_onnx = pytest.importorskip("skdeepenc.export").to_onnx
    pipeline = image_pipeline("instance-retrieval", EXPORTS / "registers.onnx", random_state=0)
    pipeline.fit(images)
    with pytest.raises(ExportError, match=r"one size\. Views of a single size"):
        to_onnx(pipeline)
    pipeline[0].views.aspect = "warp"
    assert to_onnx(pipeline.fit(images), images=images[:2]).min_cosine > 0.999


def test_maps_are_remembered_where_asked_for(images, tmp_path):
    image_pipeline("duplicates", memory=tmp_path).fit(images)
    assert len(list(tmp_path.rglob("*"))) >= len(images)


@pytest.mark.parametrize(
    "given",
    [
        {"task": "segmentation"},
        {"size": "huge"},
        {"estimator": "svm"},
        {"model": 3},
        {"random_state": "x"},
    ],
    ids=str,
)
def test_what_it_is_given_is_checked(given):
    with pytest.raises(ValueError, match=f"'{next(iter(given))}' parameter of image_pipeline"):
        image_pipeline(**given)


def test_a_model_that_is_missing_is_named():
    with pytest.raises(ModelError, match="nowhere"):
        image_pipeline(model="nowhere.onnx")
