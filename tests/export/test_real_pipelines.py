"""Five whole pipelines with published weights, on photographs: one file each, from pixels on."""

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import Normalizer
from sklearn.svm import SVC, LinearSVC

from skdeepenc.encoders import (
    ClusterMAC,
    CrossLayerPooler,
    GlobalPooler,
    MOPVLADEncoder,
    MultiScaleFisherEncoder,
)
from skdeepenc.export import OnnxEncoder, to_onnx
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.images import Preprocessing, Pyramid, Whole
from skdeepenc.retrieval import NearestNeighborRanker

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif("SKDEEPENC_DATA" not in os.environ, reason="SKDEEPENC_DATA names no folder"),
    pytest.mark.filterwarnings("ignore:Nothing says how:skdeepenc.exceptions.ModelWarning"),
]

FLOWERS, BUILDINGS = "images/flowers17/c*/*.jpg", "images/oxford5k_subset/jpg/*.jpg"
LABELS = np.repeat(np.array(["c1", "c10", "c11", "c12", "c13"]), 4)


def data():
    return Path(os.environ["SKDEEPENC_DATA"])


def photographs(pattern):
    """Return twenty: four of each of five flowers, or every fiftieth building."""
    paths = sorted(data().glob(pattern))
    if pattern == BUILDINGS:
        return paths[::50][:20]
    return [path for first in range(0, 400, 80) for path in paths[first : first + 4]]


def seen_by(network, mean, layers, views):
    caffe = Preprocessing(mean=mean, std=(1, 1, 1), channel_order="BGR", scale=1)
    return ActivationExtractor(
        data() / "weights" / network, layers=layers, preprocessing=caffe, views=views
    )


def squeezenet(layers, views):
    return seen_by("squeezenet1_0_deepcomp.onnx", (104, 117, 123), layers, views)


def vgg(layers, views):
    return seen_by("vgg16_conv.onnx", (103.939, 116.779, 123.68), layers, views)


def mop_and_svm(side):
    views = Pyramid(n_scales=3, base=side, decoding="full")
    encoder = MOPVLADEncoder(
        n_components=24, n_clusters=8, n_output_components=None, random_state=0
    )
    return make_pipeline(squeezenet("fire9/concat", views), encoder, LinearSVC())


def rmac_and_ranker(side):
    views = Whole(side, fit="crop", crop_fraction=0.875, decoding="full")
    return make_pipeline(
        vgg("conv5_3_relu", views), GlobalPooler(method="rmac"), NearestNeighborRanker(expansion=2)
    )


def union_of_networks(side):
    union = make_union(
        make_pipeline(
            squeezenet("fire8/concat", Whole(side, decoding="full")), GlobalPooler(method="gem")
        ),
        make_pipeline(
            ActivationExtractor(layers="conv5", views=Whole(side, decoding="full")),
            GlobalPooler(method="max"),
        ),
    )
    return make_pipeline(union, Normalizer(), LogisticRegression(C=10.0))


def fisher_and_calibration(side):
    encoder = MultiScaleFisherEncoder(n_components=12, n_gaussians=6, random_state=0)
    views = Pyramid(n_scales=2, base=side, aspect="keep", decoding="full")
    calibrated = CalibratedClassifierCV(LinearSVC(), cv=2)
    return make_pipeline(squeezenet("fire9/concat", views), encoder, calibrated)


def crossed_layers_and_kernel(side):
    pooler = CrossLayerPooler(n_guidance_filters=16)
    views = Whole(side, fit="pad", decoding="full")
    return make_pipeline(vgg(["conv5_2_relu", "conv5_3_relu"], views), pooler, SVC())


# The builder, the photographs, and the side that the network is meant for.
CASES = [
    (mop_and_svm, FLOWERS, 227),
    (rmac_and_ranker, BUILDINGS, 224),
    (union_of_networks, FLOWERS, 160),
    (fisher_and_calibration, FLOWERS, 227),
    (crossed_layers_and_kernel, FLOWERS, 224),
]
# The long form takes that side and all twenty photographs.
IS_LONG = int(os.environ.get("SKDEEPENC_ROBUSTNESS", "1")) > 1


@pytest.mark.parametrize(("build", "pattern", "side"), CASES)
def test_the_file_gives_what_the_pipeline_gives(build, pattern, side):
    images, labels = photographs(pattern), LABELS
    if not IS_LONG:
        images, labels, side = images[::2], labels[::2], side // 6
    pipeline = build(side).fit(images, labels)
    # A level in a pixel may give a descriptor other nearest words: 3e-4 of one image's cosine.
    report = to_onnx(pipeline, images=images if IS_LONG else images[:3], tolerance=1e-3)
    assert report.min_cosine >= 0.999
    assert report.class_agreement in (1.0, None)


def test_clusters_of_photographs_are_nearly_those_of_python():
    extractor = ActivationExtractor(layers=["conv5", "rgb"], views=Whole(224))
    maps = extractor.transform(photographs(BUILDINGS)[:6])
    encoder = ClusterMAC(n_clusters=(1, 4), n_color_clusters=4, whiten=False, random_state=0)
    expected = encoder.fit(maps).transform(maps)
    cosines = np.sum(OnnxEncoder(encoder, approximate=True).transform(maps) * expected, axis=1)
    assert np.median(cosines) > 0.99
    assert cosines.min() > 0.95
