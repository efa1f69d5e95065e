"""Extractor and encoder in forked, spawned and joblib's processes, in threads, and amid a kill."""

import multiprocessing
import os
import signal
import warnings
from pathlib import Path

import numpy as np
import pytest
from extraction.conftest import tiny_network
from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from robustness.cached_runs import IMAGES
from robustness.watched import watched
from skdeepenc.encoders import MOPVLADEncoder
from skdeepenc.extraction import ActivationExtractor, backbone_runs

N_CALLS = 2


class KillOnce(TransformerMixin, BaseEstimator):
    """Passes its input on, but kills the first process that asks for it.

    Parameters
    ----------
    marker : str
        A file that says that this has happened.
    """

    def __init__(self, marker):
        self.marker = marker

    def fit(self, X, y=None):
        try:
            Path(self.marker).touch(exist_ok=False)
        except FileExistsError:
            return self
        return os.kill(os.getpid(), signal.SIGKILL)

    def transform(self, X):
        return X

    def __sklearn_is_fitted__(self):
        return True


def pipeline(memory=None):
    """Return what turns images into vectors, in two steps."""
    extractor = ActivationExtractor(tiny_network(), layers=["conv2"], memory=memory, n_jobs=1)
    return make_pipeline(extractor, MOPVLADEncoder(n_clusters=2, n_components=3, random_state=0))


def vectors(fitted, images):
    """Return what a fitted pipeline makes of images; top of the module, so that it pickles."""
    return fitted.transform(images)


def in_processes(method, n_calls):
    """Use a fitted pipeline here, then in children of one kind; say whether all give the same."""
    fitted = pipeline().fit(IMAGES)
    expected = vectors(fitted, IMAGES)
    with multiprocessing.get_context(method).Pool(2) as pool:
        results = [pool.apply_async(vectors, (fitted, IMAGES)) for _ in range(n_calls)]
        return all(np.array_equal(result.get(60), expected) for result in results)


def in_joblib(backend, n_calls):
    """Do the same through joblib, with fits in the workers as well."""
    fitted = pipeline().fit(IMAGES)
    expected = vectors(fitted, IMAGES)
    calls = [delayed(vectors)(fitted, IMAGES) for _ in range(n_calls)]
    fits = [delayed(pipeline().fit_transform)(IMAGES) for _ in range(n_calls)]
    with parallel_config(backend=backend, n_jobs=2):
        results = Parallel()(calls + fits)
    return all(np.allclose(result, expected, atol=1e-6) for result in results)


def killed_worker(folder):
    """Kill a worker of a cross-validation; return the error, and what the same call then gives."""
    memory, marker = str(Path(folder, "cache")), str(Path(folder, "killed"))
    labels = np.arange(len(IMAGES)) % 2
    model = make_pipeline(*pipeline(memory), KillOnce(marker), LinearSVC())
    errors, scores = [], None
    with parallel_config(backend="loky", n_jobs=2), warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            try:
                scores = cross_val_score(model, IMAGES, labels, cv=2, error_score="raise")
            except TerminatedWorkerError as error:
                errors.append(str(error))
    Path(marker).touch()
    alone = cross_val_score(
        model.set_params(activationextractor__memory=None), IMAGES, labels, cv=2
    )
    return errors, np.array_equal(scores, alone), backbone_runs(memory)


def skip_in_short_form(factor):
    if factor == 1:
        pytest.skip("new processes import everything, which takes seconds: in the long form alone")


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_children_give_the_same_vectors(method, factor):
    if method != "fork":
        skip_in_short_form(factor)
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"needs {method}")
    assert watched(in_processes, method, N_CALLS * factor, seconds=120)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_workers_of_joblib_give_the_same_vectors(backend, factor):
    if backend != "threading":
        skip_in_short_form(factor)
    assert watched(in_joblib, backend, N_CALLS * factor, seconds=120)


def test_a_killed_worker_is_one_error_and_the_same_call_goes_on(tmp_path, factor):
    skip_in_short_form(factor)
    errors, same, n_runs = watched(killed_worker, str(tmp_path), seconds=120)
    assert len(errors) == 1
    assert same
    assert n_runs == len(IMAGES)
