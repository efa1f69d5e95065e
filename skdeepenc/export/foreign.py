"""Steps that nobody wrote a converter for here: skl2onnx knows most of scikit-learn's.

Its graph is put into ours, once it gave what scikit-learn gives for a few vectors: what skl2onnx
writes is wrong for some parameters, or does not run.
"""

import contextlib
import warnings

import numpy as np
import onnx
from sklearn.base import is_classifier

from skdeepenc._optional import require
from skdeepenc.backbones.running.session import run_apart
from skdeepenc.exceptions import ExportError, MissingDependencyError
from skdeepenc.export.grafting import Graft
from skdeepenc.export.outputs import reference_outputs
from skdeepenc.export.writer import OPSET, GraphWriter

__all__ = ["may_be_foreign", "write_foreign"]

_ML_DOMAIN, _ML_OPSET = "ai.onnx.ml", 3  # the newest that onnxruntime 1.16 runs
_N_TRIED, _MOST_APART = 32, 0.1  # vectors on which graphs are tried; the share that may fall apart


def may_be_foreign(estimator):
    """Tell whether to ask skl2onnx, which knows types and not what is derived from them."""
    return type(estimator).__module__.partition(".")[0] == "sklearn"


def write_foreign(g, estimator, x):
    """Write a step of a pipeline by skl2onnx.

    Parameters
    ----------
    g : GraphWriter
        The graph.
    estimator : estimator
        A transformer or classifier, fitted.
    x : Tensor of shape (N, d)
        What it is given.

    Returns
    -------
    Tensor or dict of str to Tensor
        Its vectors, or, of a classifier, what it predicts.

    Raises
    ------
    ExportError
        If skl2onnx is not installed, or does not know this estimator.
    """
    name = type(estimator).__name__
    if not is_classifier(estimator) and not hasattr(estimator, "transform"):
        raise ExportError(
            f"{name} neither transforms vectors nor tells classes, and a graph has no output for "
            "what it gives: leave it out."
        )
    models = _models(estimator)
    _try(estimator, models)
    return _put(g, estimator, models, x)


def _models(estimator):
    """Return what skl2onnx makes: of a classifier a graph of its scores beside the plain one."""
    if not is_classifier(estimator):
        return {"plain": _converted(estimator, {})}
    models = {"plain": _converted(estimator, {"zipmap": False})}
    if hasattr(estimator, "decision_function"):
        # Some have no such option; then the graph tells no scores.
        with contextlib.suppress(ExportError):
            models["scores"] = _converted(estimator, {"zipmap": False, "raw_scores": True})
    return models


def _put(g, estimator, models, x):
    """Put graphs into ours, and return what they give as scikit-learn does."""
    name = type(estimator).__name__
    graft = Graft(g, name)
    made = {
        key: graft.put(key, lambda model=model: model, x, {}, _names(model))
        for key, model in models.items()
    }
    if not is_classifier(estimator):
        return made["plain"][-1]
    label, probabilities = made["plain"]
    outputs = {"class": _places(g, label, estimator.classes_)}
    if hasattr(estimator, "predict_proba"):
        outputs["probabilities"] = probabilities
    if "scores" in made:
        outputs["scores"] = _as_scikit_learn(made["scores"][1], len(estimator.classes_))
    return outputs


def _names(model):
    return [output.name for output in model.graph.output]


def _as_scikit_learn(scores, n_classes):
    """Return one score an image where there are two classes, the one of the second."""
    return scores.cut(-1, np.iinfo(np.int64).max, axis=1).reshape(-1) if n_classes == 2 else scores


def _places(g, labels, classes):
    """Return the places of labels among the classes."""
    if classes.dtype.kind in "OUS":
        names = [str(each) for each in classes]
        return _numbered(g, labels.reshape(-1), names)
    same = g.Equal(g.cast(labels, np.int64).reshape(-1, 1), classes.astype(np.int64))
    return g.ArgMax(g.cast(same, np.int64), axis=1, keepdims=0)


def _numbered(g, labels, names):
    """Return the numbers of labels that are text, which ONNX's own operators cannot compare."""
    output = g.new_name("LabelEncoder")
    node = onnx.helper.make_node(
        "LabelEncoder",
        [labels.name],
        [output],
        domain=_ML_DOMAIN,
        keys_strings=names,
        values_int64s=list(range(len(names))),
    )
    g.add_nodes([node], opsets={_ML_DOMAIN: _ML_OPSET})
    return g.tensor(output)


def _try(estimator, models):
    """Compare the graphs with scikit-learn on made-up vectors, since not all of them are right."""
    g = GraphWriter()
    x = g.input("x", np.float32, ["N", estimator.n_features_in_])
    with g.scope("tried"):
        made = _put(g, estimator, models, x)
    made = made if isinstance(made, dict) else {"vector": made}
    for name, tensor in made.items():
        g.output(name, tensor, None, np.int64 if name == "class" else np.float32)
    shape = _N_TRIED, estimator.n_features_in_
    vectors = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    try:
        expected = {name: _expected(name, estimator, vectors) for name in made}
        got = dict(zip(made, run_apart(g.model().SerializeToString(), vectors), strict=True))
    except ValueError as error:  # of scikit-learn, or of onnxruntime
        raise _refusal(estimator, error) from error
    for name, values in expected.items():
        if values.shape != got[name].shape or _share_apart(values, got[name]) > _MOST_APART:
            raise _refusal(estimator, f"its {name} differ from scikit-learn's.")


def _expected(name, estimator, vectors):
    """Return what scikit-learn gives for an output."""
    return reference_outputs([("step", estimator)], vectors, [name])[name]


def _share_apart(expected, got):
    """Return the share of vectors for which two results are not the same."""
    same = np.isclose(expected, got, rtol=1e-2, atol=1e-3)
    return 1 - same.reshape(len(same), -1).all(axis=1).mean()


def _converted(estimator, options):
    skl2onnx = _skl2onnx(estimator)
    with warnings.catch_warnings():
        # It reads attributes that scikit-learn will drop.
        warnings.simplefilter("ignore")
        try:
            return skl2onnx.to_onnx(
                estimator,
                np.zeros((1, estimator.n_features_in_), dtype=np.float32),
                options={id(estimator): options} if options else None,
                target_opset={"": OPSET, _ML_DOMAIN: _ML_OPSET},
            )
        except Exception as error:  # whatever its converters meet in what they do not know
            raise _refusal(estimator, error) from error


def _refusal(estimator, reason):
    name = type(estimator).__name__
    reason = str(reason).strip().partition("\n")[0]
    return ExportError(
        f"There is no converter for {name} here, and skl2onnx does not write it: {reason} Write "
        f"one with skdeepenc.export.register({name}, converter)."
    )


def _skl2onnx(estimator):
    name = type(estimator).__name__
    try:
        return require("skl2onnx", extra="export", purpose=f"Exporting {name}")
    except MissingDependencyError as error:
        raise ExportError(
            f"There is no converter for {name} here: run `pip install skl2onnx`, which knows most "
            f"of scikit-learn, or write one with skdeepenc.export.register({name}, converter)."
        ) from error
