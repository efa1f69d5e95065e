"""Accuracy of the global feature and of MOP-CNN on transformed test images (the paper's section 3).

    python benchmarks/benchmark_invariance.py [--per-class 5] [--plot FILE.png]

Classifiers learn on the untouched training images of flowers17; the test images are scaled (centre
crops of 9/10 to 4/10 of the side), translated (crops of 0.7 of the side, moved by up to 40 of 256
pixels), flipped, and rotated by up to 20 degrees (and cropped to the middle, without corners). The
network is the embedded one, on windows as in the paper.
"""

import argparse
import os
from pathlib import Path

import flowers17
import numpy as np
from PIL import Image, ImageOps
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from skdeepenc.encoders import MOPVLADEncoder
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.images import Windows

SIDE = 256


def middle(picture, share, right=0, down=0):
    """Crop `share` of each side around the centre, moved by some pixels."""
    size = round(SIDE * share)
    left, top = (SIDE - size) // 2 + right, (SIDE - size) // 2 + down
    return picture.crop((left, top, left + size, top + size))


def rotate(picture, degrees):
    return middle(picture.rotate(degrees, Image.Resampling.BILINEAR), 0.7)


def transformations():
    """Return the paper's transformations of a square picture of 256 pixels, by kind and amount."""
    table = {("scaling", f"10/{n}"): (lambda p, n=n: middle(p, n / 10)) for n in range(10, 3, -1)}
    for pixels in range(-40, 41, 20):
        table["right", pixels] = lambda p, pixels=pixels: middle(p, 0.7, right=pixels)
        table["down", pixels] = lambda p, pixels=pixels: middle(p, 0.7, down=pixels)
    table["flip", "none"] = lambda p: p
    table["flip", "horizontal"] = ImageOps.mirror
    table["flip", "vertical"] = ImageOps.flip
    for degrees in (-20, -10, -5, 0, 5, 10, 20):
        table["rotation", degrees] = lambda p, degrees=degrees: rotate(p, degrees)
    return dict(sorted(table.items(), key=lambda item: item[0][0]))


def squares(paths, transform):
    """Decode and warp pictures as `Windows` does, then transform them."""
    for path in paths:
        with Image.open(path) as picture:
            square = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        yield np.asarray(transform(square))


def classifiers():
    """Return the global feature and MOP-CNN, each with its linear SVM."""
    settings = {"n_components": 128, "n_clusters": 64, "max_samples": 60_000, "random_state": 0}
    return {
        "global": make_pipeline(MOPVLADEncoder(scales=[0]), LinearSVC(C=10, random_state=0)),
        "MOP-CNN": make_pipeline(MOPVLADEncoder(**settings), LinearSVC(C=10, random_state=0)),
    }


def draw(results, path):
    """Draw one panel a kind of transformation."""
    from matplotlib.figure import Figure

    kinds = list(dict.fromkeys(kind for kind, _ in results))
    figure = Figure(figsize=(3 * len(kinds), 3), layout="constrained")
    for axes, kind in zip(figure.subplots(1, len(kinds), sharey=True), kinds, strict=True):
        amounts = [str(amount) for own, amount in results if own == kind]
        for name in classifiers():
            scores = [scores[name] for (own, _), scores in results.items() if own == kind]
            axes.plot(amounts, scores, marker="o", label=name)
        axes.set(title=kind, ylabel="accuracy (%)" if kind == kinds[0] else "")
    axes.legend()
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("SKDEEPENC_DATA"))
    parser.add_argument("--memory", type=Path, help="folder to remember activations in")
    parser.add_argument("--per-class", type=int, default=40, help="test images of each class")
    parser.add_argument("--plot", type=Path, help="picture to write")
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
    results = {}
    print(f"{'':24s}" + "".join(f"{name:>10s}" for name in fitted))
    for (kind, amount), transform in transformations().items():
        maps = extractor.transform(list(squares(paths[test], transform)))
        scores = {name: 100 * model.score(maps, labels[test]) for name, model in fitted.items()}
        results[kind, amount] = scores
        print(f"{kind:12s}{amount!s:12s}" + "".join(f"{score:10.1f}" for score in scores.values()))
    if options.plot is not None:
        draw(results, options.plot)


if __name__ == "__main__":
    main()
