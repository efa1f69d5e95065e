"""The oldest onnxruntime that is promised, 1.16, gives what the installed one gives.

``SKDEEPENC_OLD_ONNXRUNTIME`` names an interpreter that has it: ``python3.11 -m venv old`` and
``old/bin/pip install onnxruntime==1.16.3 "numpy<2"``.
"""

import os
import subprocess

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from skdeepenc.backbones.running.session import run_apart
from skdeepenc.datasets import make_scenes
from skdeepenc.encoders import GlobalPooler, MOPVLADEncoder, MultiScaleFisherEncoder
from skdeepenc.export import to_onnx
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.images import Preprocessing, Pyramid, Whole, Windows
from skdeepenc.retrieval import NearestNeighborRanker

INTERPRETER = os.environ.get("SKDEEPENC_OLD_ONNXRUNTIME")
pytestmark = pytest.mark.skipif(
    INTERPRETER is None, reason="SKDEEPENC_OLD_ONNXRUNTIME names no interpreter"
)
RUN = """
import sys
import numpy
import onnxruntime
options = onnxruntime.SessionOptions()
options.log_severity_level = 3
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
numpy.savez(sys.argv[3], *session.run(None, {"images": numpy.load(sys.argv[2])}))
assert onnxruntime.__version__.startswith("1.16."), onnxruntime.__version__
"""


def probable(**parameters):
    """Return a kernel machine that tells probabilities."""
    return SVC(probability=True, random_state=0, **parameters)


PIPELINES = {
    "mop": (Pyramid(n_scales=2), MOPVLADEncoder(n_components=8, n_clusters=4), probable()),
    "fisher": (
        Whole(96, fit="crop"),
        MultiScaleFisherEncoder(n_components=8, n_gaussians=3, random_state=0),
        LinearDiscriminantAnalysis(),
    ),
    "gem": (Whole(96, fit="pad"), GlobalPooler(method="gem"), NearestNeighborRanker(expansion=1)),
    "windows": (
        Windows(image_size=96, sizes=(96, 64)),
        GlobalPooler(),
        KNeighborsClassifier(3, metric="canberra", weights="distance"),
    ),
}


@pytest.mark.filterwarnings("ignore:The `probability` parameter was deprecated")
@pytest.mark.parametrize("interpolation", ["bilinear", "lanczos"])
@pytest.mark.parametrize("name", PIPELINES)
def test_files_run_on_the_oldest_onnxruntime(name, interpolation, tmp_path):
    views, *steps = PIPELINES[name]
    scenes, labels = make_scenes(24, n_classes=3, image_size=96, random_state=0, return_X_y=True)
    seen = Preprocessing(interpolation=interpolation)
    extractor = ActivationExtractor(layers="conv5", views=views, preprocessing=seen)
    path, images = tmp_path / "all.onnx", tmp_path / "images.npy"
    report = to_onnx(make_pipeline(extractor, *steps).fit(scenes, labels), path)
    tall = np.concatenate([scenes[0], scenes[1], scenes[2]])[None]
    np.save(images, tall)
    command = [INTERPRETER, "-c", RUN, str(path), str(images), str(tmp_path / "got.npz")]
    subprocess.run(command, check=True)
    got = np.load(tmp_path / "got.npz")
    for values, expected in zip(got.values(), run_apart(report.model, tall), strict=True):
        np.testing.assert_allclose(values, expected, rtol=1e-3, atol=1e-4)
