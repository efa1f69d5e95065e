"""Threads and processes share a cache and its work, and give back what they hold."""

import threading

import joblib
import pytest
from extraction.cached_maps import assert_same_maps, descriptors_in_use, needs_proc

from skdeepenc.extraction import backbone_runs
from skdeepenc.extraction import cache as cache_module


def test_two_processes_share_the_work(extractor, paths, expected, memory):
    extractor.set_params(batch_size=1)
    results = joblib.Parallel(n_jobs=2)(
        joblib.delayed(extractor.fit_transform)(order) for order in (paths, paths[::-1])
    )
    assert backbone_runs(memory) == len(paths)
    assert_same_maps(results[0], expected)
    assert_same_maps(results[1], expected[::-1])


def test_threads_share_the_work(extractor, paths, expected, memory):
    extractor.set_params(batch_size=1).fit(paths)
    results = {}

    def work(number):
        results[number] = extractor.transform(paths)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert backbone_runs(memory) == len(paths)
    for maps in results.values():
        assert_same_maps(maps, expected)


def test_claims_of_a_failed_run_are_given_back(extractor, paths, expected, monkeypatch):
    extractor.fit(paths)
    with monkeypatch.context() as patch:
        patch.setattr(extractor.backbone_, "run", None)
        with pytest.raises(TypeError):
            extractor.transform(paths)
    assert_same_maps(extractor.transform(paths), expected)


def test_claims_of_an_interrupted_run_are_given_back(extractor, paths, expected, monkeypatch):
    """Its traceback, which a notebook keeps, keeps all its generators."""
    extractor.set_params(batch_size=1).fit(paths)
    with monkeypatch.context() as patch:
        patch.setattr(cache_module.Cache, "log_run", None)
        with pytest.raises(TypeError) as kept:
            extractor.transform(paths)
    assert_same_maps(extractor.transform(paths), expected)
    del kept


@needs_proc
def test_no_descriptor_stays_open_for_a_folder(extractor, paths, tmp_path):
    extractor.fit(paths)
    before = descriptors_in_use()
    for number in range(5):
        extractor.set_params(memory=tmp_path / str(number)).transform(paths[:1])
    assert descriptors_in_use() == before
