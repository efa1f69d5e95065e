"""Search pooling parameters on flowers17 in two processes, and count how often the network runs.

    python benchmarks/benchmark_grid_search.py [--data FOLDER] [--memory FOLDER] [--per-class 40]

The pipeline is extractor, MOP-VLAD, linear SVM, over the embedded network. With a cache the network
sees each image once, whatever the folds and candidates. The best pipeline is then pickled, loaded
in a new process and asked again.
"""

import argparse
import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import flowers17
import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

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


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("SKDEEPENC_DATA"))
    parser.add_argument("--memory", help="cache folder; a temporary one without")
    parser.add_argument("--per-class", type=int, default=40, help="training images of a class")
    return parser.parse_args()


def make_search(memory):
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
    print(f"The pickled pipeline takes {pickled.stat().st_size / 1e6:.1f} MB.")
    subprocess.run([sys.executable, "-c", LOAD_AND_PREDICT, pickled, predicted], check=True)
    return np.load(predicted)


def main():
    options = parse_options()
    if options.data is None:
        sys.exit("Give --data or set SKDEEPENC_DATA; see CONTRIBUTING.md for its layout.")
    paths, labels = flowers17.load(options.data)
    paths = np.asarray(paths)
    train, test = flowers17.split_by_name(labels, options.per_class)
    with tempfile.TemporaryDirectory() as folder:
        memory = options.memory or folder
        before, start = backbone_runs(memory), time.perf_counter()
        search = make_search(memory).fit(paths[train], labels[train])
        seconds, runs = time.perf_counter() - start, backbone_runs(memory) - before
        n_fits = 3 * len(search.cv_results_["params"]) + 1
        print(f"{len(train)} images, {n_fits} fits in {seconds:.0f} s: {runs} backbone runs.")
        print(f"best: {search.best_params_}, {100 * search.best_score_:.1f} % over the folds")
        print(f"test: {100 * search.score(paths[test], labels[test]):.1f} %")
        some = paths[test][::20].tolist()
        there = predict_in_a_new_process(search.best_estimator_, some, folder)
        agree = np.array_equal(there, search.predict(some))
        print(f"A new process predicts the same: {agree}.")


if __name__ == "__main__":
    main()
