"""The shapes that a graph declares are those that it gives, and that ONNX infers."""

import numpy as np
import onnx
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC, LinearSVC

from skdeepenc.backbones.running.session import run_apart
from skdeepenc.encoders import GlobalPooler, MOPVLADEncoder
from skdeepenc.export import to_onnx
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.functional import power_normalize
from skdeepenc.images import Pyramid, Whole
from skdeepenc.retrieval import NearestNeighborRanker

MAPS = np.random.default_rng(0).random((24, 3, 3, 4), dtype=np.float32)
LABELS = np.arange(24) % 4

# Of four classes there are six pairs.
ENDS = [
    (LinearSVC(), {"vector": 4, "scores": 4, "class": None}),
    (SVC(decision_function_shape="ovo"), {"vector": 4, "scores": 6, "class": None}),
    (NearestNeighborRanker(), {"vector": 4, "scores": 24, "neighbors": 24}),
    (
        KNeighborsClassifier(3),
        {"vector": 4, "probabilities": 4, "class": None, "neighbors": 3},
    ),
    (
        make_pipeline(LinearDiscriminantAnalysis(), LinearSVC()),
        {"vector": 3, "scores": 4, "class": None},
    ),
    (FunctionTransformer(power_normalize), {"vector": 4}),
    (make_union(FunctionTransformer(power_normalize), LinearDiscriminantAnalysis()), {"vector": 7}),
]


def sides(value):
    """Return the declared sides: numbers, and names of those that are free."""
    return [each.dim_value or each.dim_param for each in value.type.tensor_type.shape.dim]


def declared(report, kind):
    model = onnx.load_model_from_string(report.model)
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    return {value.name: sides(value) for value in getattr(model.graph, kind)}


@pytest.mark.parametrize(("end", "widths"), ENDS)
def test_outputs_say_how_wide_they_are(end, widths):
    pipeline = make_pipeline(GlobalPooler(), end).fit(MAPS, LABELS)
    report = to_onnx(pipeline, input="maps", images=MAPS)
    outputs = declared(report, "output")
    assert outputs == {name: ["N", n] if n else ["N"] for name, n in widths.items()}
    for name, values in zip(outputs, run_apart(report.model, MAPS[:5]), strict=True):
        assert list(values.shape) == [5, *outputs[name][1:]]


def test_two_classes_have_one_score():
    pipeline = make_pipeline(GlobalPooler(), LinearSVC()).fit(MAPS, LABELS > 1)
    assert declared(to_onnx(pipeline, input="maps"), "output")["scores"] == ["N"]


@pytest.mark.parametrize(
    ("kind", "views", "inputs"),
    [
        ("pixels", Whole(96), {"images": ["N", "H", "W", 3]}),
        ("pixels", Pyramid(n_scales=2, aspect="keep"), {"images": ["N", "H", "W", 3]}),
        ("tensor", Whole(96), {"pixels": ["N", 3, 96, 96]}),
        (
            "tensor",
            Pyramid(n_scales=2, aspect="keep"),
            {f"pixels/{i}": ["N", 3, f"pixels/{i} height", f"pixels/{i} width"] for i in range(2)},
        ),
        ("maps", Whole(96), {"conv5": ["N", "conv5 height", "conv5 width", 96]}),
    ],
    ids=str,
)
def test_inputs_name_what_is_free(kind, views, inputs):
    image = np.zeros((99, 120, 3), dtype=np.uint8)
    encoder = MOPVLADEncoder(n_clusters=2, n_components=3, random_state=0)
    if kind == "maps":
        encoder = GlobalPooler()
    pipeline = make_pipeline(ActivationExtractor(layers="conv5", views=views), encoder)
    report = to_onnx(pipeline.fit([image, image.transpose(1, 0, 2)]), input=kind)
    got = declared(report, "input")
    assert {name: each[:3] for name, each in got.items()} == {k: v[:3] for k, v in inputs.items()}
    (width,) = (each[1] for each in declared(report, "output").values())
    assert isinstance(width, int)
