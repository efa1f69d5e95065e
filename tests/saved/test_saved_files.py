"""Files that earlier versions saved open, and their estimators compute what they did then."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning

import skdeepenc
from skdeepenc import encoders, retrieval
from skdeepenc.exceptions import StorageWarning
from tests.saved.record import FOLDER, KINDS, outputs

FILES = sorted(FOLDER.glob("*/*.skops"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_file_computes_what_it_did(path):
    with warnings.catch_warnings():  # that other versions wrote it is the point
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        warnings.simplefilter("ignore", StorageWarning)
        estimator = skdeepenc.load(path)
    _, make_input = KINDS[path.stem]
    expected = np.load(path.with_suffix(".npy"))
    tolerance = 1e-4 * np.abs(expected).max()
    assert_allclose(outputs(estimator, make_input()), expected, rtol=1e-4, atol=tolerance)


def test_a_parameter_that_a_file_does_not_know_has_its_default():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        encoder = skdeepenc.load(FOLDER / "0.1.0" / "mop-vlad.skops")
    assert clone(encoder).normalize_descriptors is False


def test_each_kind_of_estimator_was_saved():
    saved = {path.stem for path in FILES}
    assert saved == set(KINDS)
    held = "".join(repr(estimator) for estimator, _ in KINDS.values())
    rankers = {name for name in retrieval.__all__ if name.endswith(("Ranker", "Pipeline"))} - {
        "IndexedRanker"
    }
    assert not [name for name in {*encoders.__all__, *rankers} if name not in held]
