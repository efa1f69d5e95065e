"""Accuracy of the global feature and of MOP-CNN on transformed test images (the paper's section 3).

    python -m benchmarks.papers.invariance [--per-class 5] [--plot FILE.png]

Classifiers learn on the untouched training images of flowers17; the test images are scaled (centre
crops of 9/10 to 4/10 of the side), translated (crops of 0.7 of the side, moved by up to 40 of 256
pixels), flipped, and rotated by up to 20 degrees (and cropped to the middle, without corners). The
network is the embedded one, on windows as in the paper.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from benchmarks import flowers17
from skdeepenc.encoders import MOPVLADEncoder
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.images import Windows
from skdeepenc.inspection import InvarianceDisplay, image_transformations
from skdeepenc.inspection.invariance import warp_to_square


def classifiers():
    """Return the global feature and MOP-CNN, each with its linear SVM."""
    settings = {"n_components": 128, "n_clusters": 64, "max_samples": 60_000, "random_state": 0}
    return {
        "global": make_pipeline(MOPVLADEncoder(scales=[0]), LinearSVC(C=10, random_state=0)),
        "MOP-CNN": make_pipeline(MOPVLADEncoder(**settings), LinearSVC(C=10, random_state=0)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("SKDEEPENC_DATA"))
    parser.add_argument("--memory", type=Path, help="folder to remember activations in")
    parser.add_argument("--per-class", type=int, default=40, help="test images of each class")
    parser.add_argument("--plot", type=Path, help="image to write")
    options = parser.parse_args()
    if options.data is None:
        parser.exit(message="No data: give --data, or set SKDEEPENC_DATA.\n")

    paths, labels = flowers17.load(options.data)
    paths = np.array(paths)
    train, test = flowers17.split_by_name(labels, n_test=options.per_class)
    extractor = ActivationExtractor(
        layers="fc7", views=Windows(), dtype="float16", memory=options.memory, verbose=1
    )
    learned = extractor.fit_transform(list(paths[train]))
    fitted = {name: model.fit(learned, labels[train]) for name, model in classifiers().items()}
    squares = [warp_to_square(path) for path in paths[test]]
    results = {}
    print(f"{'':32s}" + "".join(f"{name:>10s}" for name in fitted))
    for (kind, amount), transform in image_transformations().items():
        # The classifiers share the activations, which take nearly all of the time.
        maps = extractor.transform([np.asarray(transform(square)) for square in squares])
        scores = {name: model.score(maps, labels[test]) for name, model in fitted.items()}
        results[kind, amount] = scores
        row = "".join(f"{100 * score:10.1f}" for score in scores.values())
        print(f"{kind:20s}{amount!s:12s}{row}")
    if options.plot is not None:
        InvarianceDisplay(scores=results).plot().figure_.savefig(options.plot, dpi=120)


if __name__ == "__main__":
    main()
