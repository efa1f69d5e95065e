"""A search over pooling parameters: how often the network runs, and what pickling keeps."""

import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from benchmarks import flowers17
from benchmarks.registry import Case, benchmark, data_folder
from skdeepenc import ActivationExtractor, MOPVLADEncoder, Pyramid
from skdeepenc.extraction import backbone_runs

GRID = {
    "mopvladencoder__n_clusters": [16, 32],
    "mopvladencoder__n_neighbors": [1, 5],
    "mopvladencoder__scales": [[0], [0, 1], [0, 1, 2]],
}
LOAD_AND_PREDICT = """
import pickle, sys
import numpy as np
pipeline, paths = pickle.load(open(sys.argv[1], "rb"))
np.save(sys.argv[2], pipeline.predict(paths))
"""


@benchmark(ours="ActivationExtractor(memory=...)", limits={"runs per image": 1})
def grid_search(per_class=40, memory=None):
    """Extractor, MOP-VLAD and linear SVM on flowers17, in two processes, over the embedded network.

    With a cache the network sees each image once, whatever the folds and candidates. The best
    pipeline is then pickled, loaded in a new process and asked again.
    """
    paths, labels = flowers17.load(data_folder())
    paths = np.asarray(paths)
    train, test = flowers17.split_by_name(labels, per_class)
    with tempfile.TemporaryDirectory() as folder:
        memory = memory or folder
        before, start = backbone_runs(memory), time.perf_counter()
        search = make_search(memory).fit(paths[train], labels[train])
        facts = {
            "seconds": time.perf_counter() - start,
            "fits": 3 * len(search.cv_results_["params"]) + 1,
            "runs per image": (backbone_runs(memory) - before) / len(train),
            "% over the folds": 100 * search.best_score_,
            "% on the test half": 100 * search.score(paths[test], labels[test]),
        }
        some = paths[test][::20].tolist()
        there = predict_in_a_new_process(search.best_estimator_, some, folder)
        assert np.array_equal(there, search.predict(some)), "a new process predicts otherwise"
        yield Case(f"{len(train)} images, best {search.best_params_}", {}, facts=facts)


def make_search(memory):
    """Return the search over the pooling parameters of MOP-VLAD."""
    extractor = ActivationExtractor(
        layers="fc7", views=Pyramid(n_scales=3, base=64, ratio=2), dtype="float16", memory=memory
    )
    encoder = MOPVLADEncoder(
        n_components=128, sigma="auto", n_output_components=512, random_state=0
    )
    pipeline = make_pipeline(extractor, encoder, LinearSVC(C=10, random_state=0))
    return GridSearchCV(pipeline, GRID, cv=3, n_jobs=2)


def predict_in_a_new_process(pipeline, paths, folder):
    """Pickle a pipeline, load it in another process, and return what it predicts there."""
    pickled, predicted = Path(folder) / "pipeline.pkl", Path(folder) / "predicted.npy"
    pickled.write_bytes(pickle.dumps((pipeline, paths)))
    subprocess.run([sys.executable, "-c", LOAD_AND_PREDICT, pickled, predicted], check=True)
    return np.load(predicted)
