"""Network and encoder run as one session, and give what the pipeline gives."""

import json
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.svm import LinearSVC

from benchmarks import gpu_check
from skdeepenc import ActivationExtractor, GlobalPooler, MOPVLADEncoder
from skdeepenc.backbones.running.session import Graph, get_session, run_there
from skdeepenc.datasets import make_scenes
from skdeepenc.exceptions import ExportError, ImageBatchError, ModelError
from skdeepenc.export import OnnxPipeline
from skdeepenc.export.writer import GraphWriter
from skdeepenc.images import Crops, Pyramid, Whole, Windows

VIEWS = {
    "whole": Whole(64),
    "pyramid": Pyramid(n_scales=2),
    "keep": Pyramid(n_scales=2, aspect="keep"),
    "windows": Windows(image_size=48, sizes=(48, 32), stride=16),
    "crops": Crops(),
}


@pytest.fixture(scope="module")
def scenes():
    images = make_scenes(6, image_size=80, random_state=0).images
    return [image if number % 3 else image[:60] for number, image in enumerate(images)]


def pooled(scenes, views=VIEWS["whole"], **parameters):
    extractor = ActivationExtractor(layers=["conv5", "rgb"], views=views)
    return make_pipeline(extractor, GlobalPooler(**parameters)).fit(scenes)


@pytest.mark.parametrize("view", VIEWS)
def test_one_session_gives_what_the_pipeline_gives(scenes, view):
    pipeline = pooled(scenes, VIEWS[view])
    vectors = OnnxPipeline(pipeline, batch_size=3).transform(scenes)
    assert vectors.dtype == np.float32
    assert_allclose(vectors, pipeline.transform(scenes), atol=1e-5)


def test_batches_change_nothing(scenes):
    encoder = MOPVLADEncoder(n_clusters=3, n_components=4, random_state=0)
    extractor = ActivationExtractor(
        layers="conv5", views=Windows(image_size=48, sizes=(48, 32), stride=16), dtype="float16"
    )
    pipeline = make_pipeline(extractor, encoder).fit(scenes)
    one, all_ = (OnnxPipeline(pipeline, batch_size=n).transform(scenes) for n in (1, 100))
    assert_allclose(one, all_, atol=1e-5)


def test_fit_passes_on_and_leaves_the_pipeline_alone(scenes):
    pipeline = make_pipeline(
        ActivationExtractor(layers="conv5", views=Whole(64)),
        MOPVLADEncoder(n_clusters=3, n_components=4, random_state=0),
        LinearSVC(),
    )
    wrapped = OnnxPipeline(pipeline)
    with pytest.raises(NotFittedError):
        wrapped.transform(scenes)
    vectors = wrapped.fit(scenes, [0, 1] * 3).transform(scenes)
    with pytest.raises(NotFittedError):
        pipeline.predict(scenes)
    assert_allclose(vectors, wrapped.pipeline_[:-1].transform(scenes), atol=1e-4)


def test_pickles_hold_no_session_and_go_on(scenes):
    wrapped = OnnxPipeline(pooled(scenes))
    vectors = wrapped.transform(scenes)
    copy = pickle.loads(pickle.dumps(wrapped))
    assert set(vars(copy)) == {"pipeline", "providers", "batch_size", "n_jobs"}
    assert_array_equal(copy.transform(scenes), vectors)
    with pytest.raises(NotFittedError):
        clone(OnnxPipeline(make_pipeline(ActivationExtractor(), GlobalPooler()))).transform(scenes)


def test_a_part_that_was_fitted_again_gets_another_graph(scenes):
    union = FeatureUnion([("gem", GlobalPooler(method="gem")), ("max", GlobalPooler(method="max"))])
    extractor = ActivationExtractor(layers="conv5", views=Whole(64))
    pipeline = make_pipeline(extractor, union).fit(scenes)
    wrapped = OnnxPipeline(pipeline)
    before = wrapped.transform(scenes)
    maps = extractor.transform(scenes)
    dict(union.transformer_list)["max"].set_params(method="avg").fit(maps)
    after = wrapped.transform(scenes)
    assert not np.allclose(before, after)
    assert_allclose(after, pipeline.transform(scenes), atol=1e-5)


def test_images_that_cannot_be_read_are_all_listed(scenes, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    with pytest.raises(ImageBatchError) as caught:
        OnnxPipeline(pooled(scenes)).transform([scenes[0], broken, str(tmp_path / "absent.png")])
    assert len(caught.value.failures) == 2


def test_only_what_begins_with_one_extractor_runs(scenes):
    pooler = make_pipeline(GlobalPooler()).fit(np.ones((3, 2, 2, 4)))
    with pytest.raises(ExportError, match="does not take images"):
        OnnxPipeline(pooler).transform(scenes)
    union = make_pipeline(FeatureUnion([("one", pooled(scenes))])).fit(scenes)
    with pytest.raises(ExportError, match="one session has one network"):
        OnnxPipeline(union).transform(scenes)


def test_what_stays_lies_where_it_was_computed():
    def build():
        g = GraphWriter()
        x = g.input("x", np.float32, ["N"])
        g.output("double", x * 2.0, ["N"])
        g.output("negative", -x, ["N"])
        return Graph(g.model().SerializeToString())

    session = get_session("stay", build, providers=["CPUExecutionProvider"])
    feeds = {"x": np.arange(6, dtype=np.float32)[::2]}
    (value,) = run_there(session, feeds, ["double"], stay=True)
    assert value.device_name() == "cpu"
    (fetched,) = run_there(session, feeds, ["double"])
    assert_array_equal(value.numpy(), fetched)
    assert fetched.tolist() == [0, 4, 8]
    with pytest.raises(ModelError):
        run_there(session, {"x": np.zeros((2, 2), np.float32)}, ["double"])


def test_the_check_for_gpus_runs_without_one(monkeypatch, tmp_path, capsys):
    chosen = gpu_check.pipelines

    def one_pipeline(options):
        return {"global gem": chosen(options)["global gem"]}

    monkeypatch.setattr(gpu_check, "pipelines", one_pipeline)
    out = tmp_path / "check.json"
    words = ["--images", "2", "--side", "64", "--rounds", "1", "--out", str(out)]
    assert gpu_check.main(words) == 0
    assert "speed had no bar" in capsys.readouterr().out
    (row,) = json.loads(out.read_text())["rows"]
    assert row["least cosine"] > 0.99999
    monkeypatch.setattr(gpu_check, "LEAST_COSINE", 1.1)
    assert gpu_check.main(words) == 1
    slow = {**row, "provider": gpu_check.CUDA, "share": 0.79}
    assert any("0.79" in sentence for sentence in gpu_check._missed(slow))
