"""Measure the embedded model on photographs that it never saw: Oxford Flowers 17.

The first 40 images of each class, in the order of names, train a linear SVM on the global fc7 of
the 64-pixel image; the other 40 test it. Three stratified random halves show the spread::

    python -m benchmarks.embedded.measure FLOWERS17
"""

import argparse

import numpy as np
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from skdeepenc import ActivationExtractor
from skdeepenc.datasets import load_image_folder

PENALTIES = (1, 10, 100)


def halves_by_name(target):
    """Split every class into its first and its other images."""
    train = np.zeros(len(target), dtype=bool)
    for label in np.unique(target):
        members = np.flatnonzero(target == label)
        train[members[: len(members) // 2]] = True
    return np.flatnonzero(train), np.flatnonzero(~train)


def accuracies(vectors, target, train, test):
    """Classify with every penalty."""
    scores = []
    for penalty in PENALTIES:
        classifier = LinearSVC(C=penalty, max_iter=5000).fit(vectors[train], target[train])
        scores.append(100 * classifier.score(vectors[test], target[test]))
    return np.array(scores)


def main():
    """Print one line a split."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", help="one subfolder of images for each class")
    images = load_image_folder(parser.parse_args().folder)
    maps = ActivationExtractor(layers="fc7", n_jobs=-1).fit_transform(images.paths)
    vectors, target = normalize(maps.values("fc7")), images.target
    print("C =", *PENALTIES)
    by_name = accuracies(vectors, target, *halves_by_name(target))
    print("by name:", *(f"{score:.1f}" for score in by_name))
    splits = StratifiedShuffleSplit(n_splits=3, test_size=0.5, random_state=0)
    at_random = [accuracies(vectors, target, *split) for split in splits.split(vectors, target)]
    for penalty, scores in zip(PENALTIES, np.transpose(at_random), strict=True):
        print(f"at random, C = {penalty}: {scores.mean():.1f} (deviation {scores.std():.1f})")


if __name__ == "__main__":
    main()
