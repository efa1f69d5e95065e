"""Sessions: one a process, rebuilt where they cannot go, honest about where they run."""

import multiprocessing
import os
import pickle

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skdeepenc.backbones import Backbone, ModelSpec
from skdeepenc.backbones.running import providers, runtime, session
from skdeepenc.backbones.running.session_table import SessionTable
from skdeepenc.exceptions import ModelError, ModelWarning

SPEC = ModelSpec("tiny", ("relu2", "fc2"), 16)


@pytest.fixture
def backbone(tiny_network):
    return Backbone(tiny_network.SerializeToString(), spec=SPEC, n_threads=1)


@pytest.fixture
def fresh_table(monkeypatch):
    """Give the process a table of its own for one test."""
    table = SessionTable()
    monkeypatch.setattr(session, "_TABLE", table)
    return table


def test_equal_backbones_share_a_session(backbone, pixels, fresh_table):
    backbone.run(pixels(1, 20, 20))
    pickle.loads(pickle.dumps(backbone)).run(pixels(1, 24, 24))
    assert len(fresh_table.sessions) == 1


def test_old_sessions_are_dropped(tiny_network, pixels, fresh_table, monkeypatch):
    monkeypatch.setattr(session, "MAX_SESSIONS", 2)
    for layer in ("conv1", "relu1", "conv2", "conv1"):
        Backbone(tiny_network.SerializeToString(), spec=SPEC, layers=layer).run(pixels(1, 9, 9))
    assert len(fresh_table.sessions) == 2


def test_a_pickle_holds_no_session(backbone, pixels):
    backbone.run(pixels(1, 16, 16))
    assert len(pickle.dumps(backbone)) < len(backbone.model) + 2000


def test_joblib_workers_open_their_own(backbone, pixels):
    images = pixels(4, 20, 20)
    expected = backbone.run(images)["fc2"]
    tasks = (joblib.delayed(backbone.run)(images[i : i + 1]) for i in range(4))
    outputs = joblib.Parallel(n_jobs=2)(tasks)
    assert_array_equal(np.concatenate([output["fc2"] for output in outputs]), expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_opens_its_own(backbone, pixels):
    """The inherited session has no threads there, and its destructor would wait for them.

    Children of multiprocessing end without the destructors of the whole process. One that does
    run them, after a bare `os.fork`, hangs in onnxruntime's own, whether it has sessions or not.
    """
    images = pixels(2, 20, 20)
    expected = backbone.run(images)["fc2"]
    with multiprocessing.get_context("fork").Pool(1) as pool:
        forked = pool.apply_async(backbone.run, (images,)).get(timeout=60)
    assert_array_equal(forked["fc2"], expected)


def test_threads_follow_joblib(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert session.available_threads() == 3
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert session.available_threads() == joblib.cpu_count()


def test_automatic_providers_end_with_the_processor():
    assert runtime.resolve_providers("auto")[-1] == session.CPU
    assert runtime.resolve_providers(["CUDAExecutionProvider"])[-1] == session.CPU
    assert runtime.resolve_providers(session.CPU) == [session.CPU]


def test_unknown_providers_get_the_nearest():
    with pytest.raises(ModelError, match=r"nearest: CUDAExecutionProvider"):
        runtime.resolve_providers(["CudaExecutionProvider"])


def test_a_missing_provider_is_said_once(tiny_network, pixels, fresh_table, capfd):
    """CoreML runs on one maker's machines; nothing is printed by anyone else."""
    absent = "CoreMLExecutionProvider"
    if absent in runtime.onnxruntime.get_available_providers():
        absent = "DmlExecutionProvider"
    content = tiny_network.SerializeToString()
    backbone = Backbone(content, spec=SPEC, providers=[absent], n_threads=1)
    with pytest.warns(ModelWarning, match=f"{absent} was asked for and does not run here"):
        backbone.run(pixels(1, 16, 16))
    assert backbone.providers_ == [session.CPU]
    backbone.run(pixels(1, 16, 16))  # a second warning would be an error here
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.parametrize(
    ("installed", "cure"),
    [
        ({"onnxruntime", "onnxruntime-gpu"}, r"are both installed.*Uninstall both"),
        ({"onnxruntime-gpu"}, r"pip install.*\.\[cuda\]"),
    ],
)
def test_runtimes_that_overwrite_each_other_are_named(installed, cure, monkeypatch):
    def version(distribution):
        if distribution not in installed:
            raise providers.metadata.PackageNotFoundError
        return "1.0"

    monkeypatch.setattr(providers.metadata, "version", version)
    said = set()
    with pytest.warns(ModelWarning, match=cure):
        providers.warn_of_missing([providers.CUDA, providers.CPU], [providers.CPU], said)
    providers.warn_of_missing([providers.CUDA], [providers.CPU], said)  # said before


def test_automatic_choice_is_silent(tiny_network, pixels, fresh_table, capfd):
    backbone = Backbone(tiny_network.SerializeToString(), spec=SPEC, n_threads=1)
    backbone.run(pixels(1, 16, 16))
    assert backbone.providers_[-1] == session.CPU
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""
