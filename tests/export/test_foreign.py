"""Steps without a converter of ours are written by skl2onnx, which is optional."""

import sys

import numpy as np
import onnx
import pytest
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import LinearSVC

from skdeepenc.encoders import GlobalPooler
from skdeepenc.exceptions import ExportError
from skdeepenc.export import to_onnx

RNG = np.random.default_rng(0)
LABELS = np.arange(60) % 3
MAPS = RNG.random((60, 2, 2, 5), dtype=np.float32) + np.eye(5, dtype=np.float32)[LABELS, None, None]
NAMES = np.array(["door", "roof", "tower"])


def pipeline(*steps, labels=LABELS):
    return make_pipeline(GlobalPooler(), *steps).fit(MAPS, labels)


@pytest.mark.parametrize("labels", [LABELS * 2 + 1, NAMES[LABELS], LABELS > 0], ids=str)
@pytest.mark.parametrize(
    "classifier",
    [
        RandomForestClassifier(4, random_state=0),
        GradientBoostingClassifier(n_estimators=2),
        GaussianNB(),
    ],
    ids=str,
)
def test_classifiers_give_what_scikit_learn_gives(classifier, labels):
    pytest.importorskip("skl2onnx")
    report = to_onnx(pipeline(classifier, labels=labels), input="maps", images=MAPS)
    assert report.min_cosine > 0.999999
    assert report.class_agreement == 1
    model = onnx.load_model_from_string(report.model)
    assert model.ir_version == 8
    assert {each.domain: each.version for each in model.opset_import}[""] == 18


def test_transformers_stand_between_steps_of_ours():
    pytest.importorskip("skl2onnx")
    report = to_onnx(pipeline(MinMaxScaler(), LinearSVC()), input="maps", images=MAPS)
    assert report.min_cosine > 0.999999


def test_what_skl2onnx_writes_wrongly_is_refused():
    pytest.importorskip("skl2onnx")
    with pytest.raises(ExportError, match="OneVsRestClassifier here, and skl2onnx"):
        to_onnx(pipeline(OneVsRestClassifier(LinearSVC())), input="maps")
    with pytest.raises(ExportError, match="Ridge neither transforms"):
        to_onnx(pipeline(Ridge()), input="maps")


def test_the_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ExportError, match="GaussianNB here: run `pip install skl2onnx`"):
        to_onnx(pipeline(GaussianNB()), input="maps")
