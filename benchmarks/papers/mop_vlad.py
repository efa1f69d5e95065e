"""Classify flowers17 by MOP-CNN, its levels and its baselines (section 4.2 of the paper).

    python -m benchmarks.papers.mop_vlad squeezenet [--memory FOLDER] [--data FOLDER]
    python -m benchmarks.papers.mop_vlad embedded

"embedded" is the paper's protocol with the embedded network: the whole image of 256 pixels, all
windows of 128 and all of 64 at stride 32, fc7. SqueezeNet has no fully connected layer: its level 1
is the average of the map of the 227-pixel image, levels 2 and 3 are all positions of the maps of
320 and 640 pixels. Components and words are learned on the training images of each split: the first
40 images of each class in the order of names, and three seeded stratified halves.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.svm import LinearSVC

from benchmarks import flowers17
from benchmarks.networks import CAFFE, SQUEEZENET
from skdeepenc.encoders import GlobalPooler, MOPVLADEncoder
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.images import Pyramid, Windows


def squeezenet(data, memory):
    """Return the extractor, and the scales of level 1, 2 and 3."""
    extractor = ActivationExtractor(
        data / SQUEEZENET,
        layers="fire9/concat",
        views=Pyramid(n_scales=5, base=160),
        preprocessing=CAFFE,
        dtype="float16",
        memory=memory,
        verbose=1,
    )
    return extractor, (1, 2, 4)


def embedded(data, memory):
    extractor = ActivationExtractor(
        layers="fc7", views=Windows(), dtype="float16", memory=memory, verbose=1
    )
    return extractor, (0, 1, 2)


def blocks(levels, options):
    """Return the encoder of every vector that rows of the table are made of."""
    first, *finer = levels
    vlad = MOPVLADEncoder(
        n_components=options.components,
        n_clusters=options.clusters,
        n_neighbors=options.neighbors,
        sigma=options.sigma,
        n_output_components=options.output_components or None,
        max_samples=options.samples,
        random_state=0,
    )
    encoders = {"level 1": GlobalPooler(scales=[first])}
    for pooling in ("avg", "max", "vlad"):
        encoder = clone(vlad).set_params(pooling=pooling)
        for number, scale in enumerate(finer, start=2):
            encoders[f"{pooling} level {number}"] = clone(encoder).set_params(scales=[scale])
        encoders[f"{pooling} union"] = encoder.set_params(scales=finer, across_scales="union")
    return encoders


def rows():
    """Return the names of the blocks that each row of the table puts side by side."""
    table = {"level 1 (global)": ["level 1"]}
    for pooling in ("avg", "max", "vlad"):
        levels = [f"{pooling} level {number}" for number in (2, 3)]
        table.update({level: [level] for level in levels})
        table[f"{pooling} union of levels 2, 3"] = [f"{pooling} union"]
        table[f"{pooling} levels 2 + 3"] = levels
        table[f"{pooling} levels 1 + 2"] = ["level 1", levels[0]]
        table[f"{pooling} levels 1 + 3"] = ["level 1", levels[1]]
        table[f"{pooling} levels 1 + 2 + 3"] = ["level 1", *levels]
    return table


def accuracies(maps, labels, encoders, cost, train, test):
    """Return the accuracy and the width of every row of the table on one split."""
    vectors = {}
    for name, encoder in encoders.items():
        encoder = clone(encoder).fit(maps[train])
        vectors[name] = encoder.transform(maps)
    results = {}
    for row, names in rows().items():
        X = np.hstack([vectors[name] for name in names])
        classifier = LinearSVC(C=cost, random_state=0).fit(X[train], labels[train])
        results[row] = 100 * classifier.score(X[test], labels[test]), X.shape[1]
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", choices=["squeezenet", "embedded"])
    parser.add_argument("--data", type=Path, default=os.environ.get("SKDEEPENC_DATA"))
    parser.add_argument("--memory", type=Path, help="folder to remember activations in")
    parser.add_argument("--components", type=int, default=128)
    parser.add_argument("--clusters", type=int, default=64)
    parser.add_argument("--neighbors", type=int, default=5)
    parser.add_argument("--sigma", type=lambda x: x if x == "auto" else float(x), default=10.0)
    parser.add_argument("--output-components", type=int, default=4096, help="0 for no second PCA")
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--cost", type=float, default=10.0, help="C of the linear SVM")
    parser.add_argument("--splits", type=int, default=4)
    options = parser.parse_args()
    if options.data is None:
        parser.exit(message="No data: give --data, or set SKDEEPENC_DATA.\n")

    paths, labels = flowers17.load(options.data)
    make = {"squeezenet": squeezenet, "embedded": embedded}[options.network]
    extractor, levels = make(options.data, options.memory)
    maps = extractor.fit_transform(paths)
    print(maps, flush=True)
    results = []
    for _, train, test in flowers17.splits(labels, options.splits - 1):
        results.append(accuracies(maps, labels, blocks(levels, options), options.cost, train, test))
    print(f"{'':28s} {'width':>6s} {'by name':>8s} {'mean of the others':>20s}")
    for row, (by_name, width) in results[0].items():
        others = [result[row][0] for result in results[1:]] or [np.nan]
        print(
            f"{row:28s} {width:6d} {by_name:8.1f} {np.mean(others):10.1f} +- {np.std(others):3.1f}"
        )


if __name__ == "__main__":
    main()
