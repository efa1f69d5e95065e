"""Under the backends of Dask and Ray `n_jobs` of ours are threads, and folds go to the workers."""

import os
import threading
from functools import partial

import numpy as np
import pytest
from extraction.conftest import tiny_network
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from skdeepenc.arrays.threads import in_jobs
from skdeepenc.encoders import GlobalPooler, MOPVLADEncoder
from skdeepenc.extraction import ActivationExtractor, backbone_runs
from skdeepenc.images import decode
from skdeepenc.retrieval import NearestNeighborRanker

pytestmark = pytest.mark.filterwarnings("ignore")  # of the clusters' own

IMAGES = [
    np.random.default_rng(seed).integers(0, 256, (20, 20, 3), dtype=np.uint8) for seed in range(12)
]
LABELS = np.arange(12) % 3


def dask_cluster():
    """Start two workers of Dask; return the backend's name and what stops them."""
    distributed = pytest.importorskip("distributed")
    client = distributed.Client(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )

    def stop():
        client.cluster.close()
        client.close()

    return "dask", stop


def ray_cluster():
    """Start two workers of Ray; return the backend's name and what stops them."""
    ray = pytest.importorskip("ray")
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    register_ray()
    return "ray", ray.shutdown


@pytest.fixture(scope="module", params=[dask_cluster, ray_cluster], ids=["dask", "ray"])
def backend(request):
    name, stop = request.param()
    yield name
    stop()


def vectors():
    """Return what an extractor, an encoder and a ranker with two jobs each make of the images."""
    pipeline = make_pipeline(
        ActivationExtractor(tiny_network(), layers=["conv2"], batch_size=2, n_jobs=2),
        MOPVLADEncoder(n_clusters=2, n_components=3, random_state=0, n_jobs=2),
        NearestNeighborRanker(n_jobs=2),
    )
    return pipeline.fit(IMAGES).transform(IMAGES)


def test_jobs_are_threads_of_this_process(backend):
    expected = vectors()
    with parallel_config(backend=backend, n_jobs=2):
        meet = threading.Barrier(2, timeout=30)
        where = list(in_jobs(lambda _: (meet.wait(), os.getpid())[1], range(2), n_jobs=2))
        np.testing.assert_allclose(vectors(), expected, atol=1e-6)
    assert where == [os.getpid()] * 2


def test_images_are_decoded_in_threads_of_this_process(backend, monkeypatch):
    seen = set()

    def noting(original, *arguments, **named):
        seen.add((os.getpid(), threading.current_thread().name.partition("_")[0]))
        return original(*arguments, **named)

    monkeypatch.setattr(
        "skdeepenc.extraction._runner.read_source", partial(noting, decode.read_source)
    )
    with parallel_config(backend=backend, n_jobs=2):
        ActivationExtractor(tiny_network(), layers=["conv2"], n_jobs=2).fit_transform(IMAGES)
    assert seen == {(os.getpid(), "decode")}


def test_a_search_on_the_workers_gives_the_same_scores_from_one_cache(backend, tmp_path):
    extractor = ActivationExtractor(tiny_network(), layers=["conv2"], n_jobs=2, memory=tmp_path)
    pipeline = make_pipeline(extractor, GlobalPooler(), LinearSVC(random_state=0))
    search = GridSearchCV(pipeline, {"globalpooler__method": ["avg", "max"]}, cv=2)
    with parallel_config(backend=backend, n_jobs=2):
        search.fit(IMAGES, LABELS)
    assert backbone_runs(tmp_path) == len(IMAGES)
    pipeline.set_params(activationextractor__memory=None)
    alone = GridSearchCV(pipeline, search.param_grid, cv=2).fit(IMAGES, LABELS)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )
