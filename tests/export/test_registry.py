"""Converters are found by the type of what was fitted."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin

from skdeepenc.exceptions import ExportError
from skdeepenc.export import register, registry
from skdeepenc.export.registry import convert, find_converter, vectors_of
from skdeepenc.export.writer import GraphWriter


class Scaler(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.scale_ = 2.0
        return self

    def transform(self, X):
        return X * self.scale_


class SameScaler(Scaler):
    """Computes as its base does."""


class OtherScaler(Scaler):
    def transform(self, X):
        return X


@pytest.fixture(autouse=True)
def _own_converters(monkeypatch):
    monkeypatch.setattr(registry, "_CONVERTERS", {})
    register(Scaler, lambda g, scaler, vectors: vectors * scaler.scale_)


def vectors(g):
    return g.input("x", np.float32, ["N", 2])


@pytest.mark.parametrize("kind", [Scaler, SameScaler])
def test_a_subclass_that_computes_the_same_goes_with_its_base(kind):
    g = GraphWriter()
    assert convert(g, kind().fit(None), vectors(g)).name == f"{kind.__name__}/Mul"


def test_a_subclass_that_computes_something_else_needs_a_converter():
    with pytest.raises(ExportError, match=r"OtherScaler.*transform.*register\(OtherScaler"):
        find_converter(OtherScaler())
    register(OtherScaler)(lambda g, scaler, vectors: vectors)
    g = GraphWriter()
    assert convert(g, OtherScaler().fit(None), vectors(g)).name == "x"


@pytest.mark.parametrize(
    ("estimator", "message"),
    [(Scaler(), "not fitted yet"), (BaseEstimator(), "cannot be exported"), (3, "int")],
)
def test_what_cannot_be_exported_is_named(estimator, message):
    with pytest.raises(ExportError, match=message):
        convert(GraphWriter(), estimator, None)


def test_a_step_that_predicts_hands_nothing_on():
    with pytest.raises(ExportError, match=r"'svm' predicts.*end the pipeline"):
        vectors_of({"class": None}, "svm")
    assert vectors_of({"class": None, "vector": lambda: 1}, "lda") == 1
