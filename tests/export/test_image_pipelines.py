"""Whole pipelines from pixels to vectors, classes and neighbours, in one file."""

import json
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

from skdeepenc.backbones.running.session import run_apart
from skdeepenc.datasets import make_scenes
from skdeepenc.encoders import GlobalPooler, MOPVLADEncoder, MultiScaleFisherEncoder
from skdeepenc.exceptions import ExportError
from skdeepenc.export import to_onnx, verify
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.images import Pyramid, Whole, Windows
from skdeepenc.retrieval import NearestNeighborRanker

LABELS = np.arange(12) % 4


@pytest.fixture(scope="module")
def images():
    """Twelve photographs where SKDEEPENC_DATA names some, else scenes of several sizes."""
    photographs = sorted(Path(os.environ.get("SKDEEPENC_DATA", "nowhere")).glob("images/*/*/*.jpg"))
    if len(photographs) >= 12:
        return photographs[:: len(photographs) // 12][:12]
    scenes = make_scenes(12, image_size=96, random_state=0).images
    return [scene[: 96 - number, :90] for number, scene in enumerate(scenes)]


def extractor(layers="conv5", views=None):
    return ActivationExtractor(layers=layers, views=views or Whole(96, decoding="full"))


PIPELINES = {
    "classification": make_pipeline(
        extractor(views=Pyramid(n_scales=3, decoding="full")),
        MOPVLADEncoder(n_components=24, n_clusters=6, n_output_components=12, random_state=0),
        LinearSVC(),
    ),
    "retrieval": make_pipeline(
        extractor(), GlobalPooler(method="gem"), NearestNeighborRanker(n_neighbors=5)
    ),
    "fisher": make_pipeline(
        extractor(["conv4", "conv5"], Pyramid(n_scales=2, decoding="full")),
        MultiScaleFisherEncoder(n_components=12, n_gaussians=4, random_state=0),
        LogisticRegression(),
    ),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_a_file_gives_what_the_pipeline_gives(name, images, tmp_path):
    pipeline = PIPELINES[name].fit(images, LABELS)
    report = to_onnx(pipeline, tmp_path / "all.onnx", images=images)
    assert report.n_images == len(images)
    assert report.min_cosine > 0.9999
    assert report.class_agreement in (1.0, None)
    again = verify(pipeline, tmp_path / "all.onnx", images[:2])
    assert again.min_cosine > 0.9999
    tensor = to_onnx(pipeline, input="tensor", images=images[:4])
    assert tensor.min_cosine > 0.999999


@pytest.fixture(scope="module")
def pipeline(images):
    return make_pipeline(extractor(), GlobalPooler(), LinearSVC()).fit(images, LABELS)


def test_outputs_are_chosen(pipeline, images):
    report = to_onnx(pipeline, outputs=["class"], images=images[:3])
    model = onnx.load_model_from_string(report.model)
    assert [output.name for output in model.graph.output] == ["class"]
    assert [value.name for value in model.graph.input] == ["images"]
    pixels = np.zeros((2, 50, 70, 3), dtype=np.uint8)
    (places,) = run_apart(report.model, pixels)
    assert places.dtype == np.int64
    np.testing.assert_array_equal(pipeline.classes_[places], pipeline.predict(list(pixels)))


def test_the_file_says_which_network_is_in_it(pipeline, tmp_path):
    to_onnx(pipeline, tmp_path / "all.onnx")
    described = json.loads((tmp_path / "all.onnx.json").read_text())
    (network,) = described["networks"]
    assert network["name"] == "embedded"
    assert network["licence"].startswith("BSD-3-Clause")
    assert len(network["sha256"]) == 64
    assert network["decoding"] == "full"
    assert described["classes"] == [0, 1, 2, 3]


def test_branches_from_the_same_images_join(images):
    branches = make_union(
        make_pipeline(extractor("conv4"), GlobalPooler()),
        make_pipeline(
            extractor("fc7", Windows(image_size=96, sizes=(96, 64))), GlobalPooler(method="max")
        ),
    )
    pipeline = make_pipeline(branches, LinearSVC()).fit(images[:8], LABELS[:8])
    assert to_onnx(pipeline, images=images[:4]).min_cosine > 0.9999


def test_encoders_of_the_same_maps_join(images):
    poolers = make_union(GlobalPooler(), GlobalPooler(method="max"))
    pipeline = make_pipeline(extractor(), poolers, LogisticRegression()).fit(images[:8], LABELS[:8])
    assert to_onnx(pipeline, images=images[:4]).min_cosine > 0.9999
    maps = pipeline[0].transform(images[:4])
    assert to_onnx(pipeline, input="maps", images=maps).min_cosine > 0.999999


def test_a_jpeg_is_decoded_pixel_by_pixel(pipeline, tmp_path):
    noise = np.random.default_rng(0).integers(256, size=(500, 500, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.jpg")
    fast = make_pipeline(extractor(views=Whole(96)), GlobalPooler()).fit([noise])
    assert to_onnx(fast, images=[tmp_path / "noise.jpg"]).min_cosine > 0.9999


@pytest.mark.parametrize(
    ("steps", "kind", "message"),
    [
        ((GlobalPooler(), LinearSVC()), "pixels", r"begins with GlobalPooler.*input=\"maps\""),
        ((extractor(), GlobalPooler(layer="conv5")), "pixels", "not fitted"),
        ((extractor(),), "pixels", "alone gives maps"),
        ((extractor(views=Windows()), GlobalPooler()), "tensor", r"Windows cuts.*\"pixels\""),
    ],
    ids=str,
)
def test_what_cannot_begin_with_images_is_refused(steps, kind, message, tmp_path):
    with pytest.raises(ExportError, match=message):
        to_onnx(make_pipeline(*steps), tmp_path / "all.onnx", input=kind)
    assert list(tmp_path.iterdir()) == []


def test_a_graph_outside_of_the_tolerance_is_not_kept(pipeline, images, tmp_path):
    with pytest.raises(ExportError, match="tolerance=1e-15"):
        to_onnx(pipeline, tmp_path / "all.onnx", images=images[:3], tolerance=1e-15)
    assert list(tmp_path.iterdir()) == []
