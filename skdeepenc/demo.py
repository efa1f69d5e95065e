"""What `skdeepenc demo` runs: one global feature against MOP-VLAD, level by level and together.

A level is a side to which every image is warped. The network slides over the larger ones, so a
level's descriptors are those of windows: one window for the whole image, then ever smaller ones.
"""

import tempfile
import time
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from skdeepenc._progress import progress_bar
from skdeepenc.datasets import load_image_folder, make_scenes
from skdeepenc.encoders import MOPVLADEncoder
from skdeepenc.exceptions import DataSetError, MissingDependencyError
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.images import Pyramid
from skdeepenc.inspection import RankingDisplay
from skdeepenc.retrieval import NearestNeighborRanker

SIDES = (64, 128, 256)
ROWS = {
    "global feature": [0],
    "MOP-VLAD, level 2": [1],
    "MOP-VLAD, level 3": [2],
    "MOP-VLAD, all levels": [0, 1, 2],
}
HEADINGS = ("", "accuracy %", "mAP %", "length", "ms per image")
N_SCENES = 300
N_TIMED = 16


@dataclass(frozen=True)
class Result:
    """One row of the table.

    Parameters
    ----------
    name : str
        What was measured.
    accuracy : float
        Share of the test images that a linear SVM puts into the right class.
    mean_ap : float
        Mean average precision when the test images are looked for among the training images.
    length : int
        Length of the vector of an image.
    milliseconds : float
        From image to vector, per image.
    """

    name: str
    accuracy: float
    mean_ap: float
    length: int
    milliseconds: float


def run_demo(folder=None, *, figure=None, verbose=1):
    """Measure the global feature and MOP-VLAD, print a table and draw a figure.

    Half of each class trains, half tests; what is learned is learned of the training half.

    Parameters
    ----------
    folder : path-like, default=None
        Folder with one subfolder of images for each class; None draws scenes.
    figure : path-like, default=None
        File for a figure of queries and their first results; None draws none.
    verbose : int, default=1
        Show progress bars.

    Returns
    -------
    list of Result
        The rows of the table.

    Raises
    ------
    DataSetError
        If the folder does not suit.
    """
    images, target, names = _load(folder)
    train, test = _split(target, names)
    print(f"{len(names)} classes, {len(train)} images to learn from, {len(test)} to test.")
    results = []
    with tempfile.TemporaryDirectory(prefix="skdeepenc-") as memory:
        maps = _extractor(range(len(SIDES)), memory=memory, verbose=verbose).fit_transform(images)
        rows = progress_bar(ROWS.items(), verbose=verbose, description="encode", unit="row")
        for name, levels in rows:
            part = maps.select(scales=levels)
            encoder = _encoder().fit(part[train])
            vectors = encoder.transform(part)
            milliseconds = _time(levels, encoder, images)
            results.append(_measure(name, vectors, target, train, test, milliseconds))
    print(format_table(results))
    if figure is not None:
        _draw(figure, images, vectors, target, train, test)
    return results


def format_table(results):
    """Lay out results as text.

    Parameters
    ----------
    results : list of Result
        The rows.

    Returns
    -------
    str
        A table with a line of headings.
    """
    rows = [
        (
            result.name,
            f"{100 * result.accuracy:.1f}",
            f"{100 * result.mean_ap:.1f}",
            str(result.length),
            f"{result.milliseconds:.1f}",
        )
        for result in results
    ]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
        for row in (HEADINGS, *rows)
    ]
    return "\n".join(lines)


def _load(folder):
    """Return images, their classes and the classes' names."""
    if folder is None:
        scenes = make_scenes(N_SCENES, random_state=0)
        return scenes.images, scenes.target, scenes.target_names
    found = load_image_folder(folder)
    if len(found.target_names) < 2:
        raise DataSetError(f"The image folder {folder} has only one class: give at least two.")
    return found.paths, found.target, found.target_names


def _split(target, names):
    """Halve each class at random, always in the same way."""
    counts = np.bincount(target)
    if counts.min() < 2:
        few = ", ".join(repr(name) for name, n in zip(names, counts, strict=True) if n < 2)
        raise DataSetError(f"Every class needs at least two images; there are too few in {few}.")
    indices = np.arange(len(target))
    return train_test_split(indices, test_size=0.5, stratify=target, random_state=0)


def _extractor(levels, **parameters):
    """Make the extractor of one level, or of all of them as scales."""
    view = Pyramid(n_scales=len(levels), ratio=2, base=SIDES[levels[0]])
    return ActivationExtractor(
        layers="fc7", views=view, dtype="float16", n_jobs=-1, random_state=0, **parameters
    )


def _encoder():
    """Make a small MOP-VLAD, for few images and short descriptors."""
    return MOPVLADEncoder(
        n_components=128,
        n_clusters=32,
        sigma="auto",
        n_output_components=512,
        max_samples=50_000,
        random_state=0,
    )


def _measure(name, vectors, target, train, test, milliseconds):
    """Classify and retrieve with the vectors of all images."""
    classifier = LinearSVC(C=10, random_state=0).fit(vectors[train], target[train])
    ranker = NearestNeighborRanker().fit(vectors[train], target[train])
    return Result(
        name,
        classifier.score(vectors[test], target[test]),
        ranker.score(vectors[test], target[test]),
        vectors.shape[1],
        milliseconds,
    )


def _time(levels, encoder, images):
    """Return the milliseconds from image to vector, per image and without a cache."""
    sample = images[:N_TIMED]
    pipeline = make_pipeline(_extractor(levels).fit(sample), encoder)
    pipeline.transform(sample[:1])  # opens the network
    start = time.perf_counter()
    pipeline.transform(sample)
    return 1e3 * (time.perf_counter() - start) / len(sample)


def _draw(figure, images, vectors, target, train, test, n_queries=6):
    """Draw queries of different classes and what is found for them, if matplotlib is there."""
    _, firsts = np.unique(target[test], return_index=True)
    queries = test[firsts[:n_queries]]
    ranker = NearestNeighborRanker().fit(vectors[train], target[train])
    try:
        display = RankingDisplay.from_estimator(
            ranker,
            vectors[queries],
            target[queries],
            query_images=[images[index] for index in queries],
            gallery_images=[images[index] for index in train],
        )
    except MissingDependencyError as error:
        print(f"No figure: {error}")
        return
    display.figure_.savefig(figure)
    print(f"Queries and their first results: {figure}")
