"""Classify by the network's own feature and by the recommended pipeline, and say what is gained.

Both see the same images and end in the same classifier. Each seed draws other scenes, or halves a
folder's classes anew, and the gain is taken image by image.
"""

import tempfile
import time
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skdeepenc._progress import progress_bar
from skdeepenc.datasets import make_scenes
from skdeepenc.demo.figure import draw
from skdeepenc.demo.rescue import find_rescued
from skdeepenc.encoders import GlobalPooler
from skdeepenc.exceptions import MissingDependencyError
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.recipes import image_pipeline
from skdeepenc.reproduction.intervals import Difference, mean_of_cases, paired_difference
from skdeepenc.reproduction.labelled import draw_labelled, open_classes

ROWS = ("global feature", "image_pipeline")
HEADINGS = ("", "accuracy %", "length", "ms per image")
N_SEEDS = 3
N_SCENES = 160
N_TIMED = 16
N_SHOWN = 3
NEXT = """
What next:
  skdeepenc demo --images FOLDER                   the same on your images, one subfolder per class
  skdeepenc fit FOLDER flowers.skops --task classification      keep a classifier of your own
  skdeepenc index PHOTOS photos.index              a search engine of a folder of photographs
  skdeepenc reproduce mop-cnn --quick              a paper's table, beside its own numbers"""


@dataclass(frozen=True)
class Result:
    """One row of the table.

    Parameters
    ----------
    name : str
        What was measured.
    accuracy : float
        Share of the test images that a linear SVM puts into the right class, the mean of all seeds.
    spread : float
        The standard deviation of that over the seeds.
    length : int
        Length of the vector of an image.
    milliseconds : float
        From image to vector, per image.
    """

    name: str
    accuracy: float
    spread: float
    length: int
    milliseconds: float


@dataclass(frozen=True)
class Comparison:
    """What the demo measured.

    Parameters
    ----------
    results : list of Result
        The global feature and the pipeline.
    gain : Difference
        How many points of accuracy the pipeline gains, with its 95 % interval.
    n_test : int
        How many images it was measured with.
    """

    results: list[Result]
    gain: Difference
    n_test: int

    def __str__(self):
        verdict = {
            "holds": "The pipeline is better",
            "not shown": "No difference is shown",
            "reversed": "The global feature is better",
        }[self.gain.verdict()]
        gain = self.gain
        return (
            f"{format_table(self.results)}\n\n{verdict}: {gain.mean:+.1f} points, 95 % interval "
            f"{gain.low:+.1f} to {gain.high:+.1f}, of {self.n_test} test images."
        )


def run_demo(folder=None, *, figure=None, verbose=1):
    """Measure the global feature and the pipeline, print a table and draw a figure.

    Half of each class trains, half tests; what is learned is learned of the training half.

    Parameters
    ----------
    folder : path-like, default=None
        Folder with one subfolder of images for each class; None draws scenes.
    figure : path-like, default=None
        File for a figure of the gain and of what made it; None draws none.
    verbose : int, default=1
        Show progress bars.

    Returns
    -------
    Comparison
        The rows of the table, and what the pipeline gains.

    Raises
    ------
    DataSetError
        If the folder does not suit.
    """
    names, load = _open(folder)
    with tempfile.TemporaryDirectory(prefix="skdeepenc-") as memory:
        seeds = progress_bar(range(N_SEEDS), verbose=verbose, description="classify", unit="seed")
        turns = [_Turn(load(seed), _pipelines(seed, memory)) for seed in seeds]
    comparison = _compare(turns)
    first = turns[0]
    n_train, n_test = len(first.labelled.train), len(first.labelled.test)
    print(
        f"{len(names)} classes, {N_SEEDS} seeds, each with {n_train} images to learn from and "
        f"{n_test} to test.\n\n{comparison}"
    )
    if figure is not None:
        _draw(figure, comparison, first, names)
    print(NEXT)
    return comparison


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
            f"{100 * result.accuracy:.1f} ± {100 * result.spread:.1f}",
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


def _open(folder):
    """Return the names of classes, and what gives labelled images for a seed."""
    if folder is not None:
        return open_classes(folder)
    names = make_scenes(1, image_size=16).target_names
    return names, lambda seed: draw_labelled(N_SCENES, seed)


def _pipelines(seed, memory):
    """Make a classifier for each row; both end in the same kind."""
    pipeline = image_pipeline(random_state=seed, memory=memory)
    plain = make_pipeline(
        ActivationExtractor(memory=memory), GlobalPooler(), clone(pipeline.steps[-1][1])
    )
    for each in (plain, pipeline):
        each[0].set_params(dtype="float16", n_jobs=-1)
    return [plain, pipeline]


class _Turn:
    """One seed: what both classifiers make of its test images."""

    def __init__(self, labelled, pipelines):
        self.labelled = labelled
        target = labelled.target[labelled.train]
        learned, tested = self.take(labelled.train), self.take(labelled.test)
        self.pipelines = [each.fit(learned, target) for each in pipelines]
        self.predicted = [each.predict(tested) for each in pipelines]

    @property
    def target(self):
        """The classes of the test images."""
        return self.labelled.target[self.labelled.test]

    def take(self, positions):
        """Return some of the images."""
        return [self.labelled.images[position] for position in positions]

    def correct(self, row):
        """Return 100 for each test image that is put into its class, else 0."""
        return 100.0 * (self.predicted[row] == self.target)


def _compare(turns):
    ids = [turn.labelled.ids[turn.labelled.test] for turn in turns]
    correct = [[turn.correct(row) for turn in turns] for row in range(len(ROWS))]
    plain, pipeline = (mean_of_cases(ids, values) for values in correct)
    results = [
        _result(name, values, turns[0].pipelines[row][:-1], turns[0].labelled.images[:N_TIMED])
        for row, (name, values) in enumerate(zip(ROWS, correct, strict=True))
    ]
    return Comparison(results, paired_difference(pipeline, plain), len(plain))


def _result(name, values, encoder, images):
    shares = [each.mean() / 100 for each in values]
    mean, spread = float(np.mean(shares)), float(np.std(shares, ddof=1))
    return Result(name, mean, spread, *_time(encoder, images))


def _time(encoder, images):
    """Return the length of a vector, and the milliseconds it takes without a cache."""
    extractor = clone(encoder[0]).set_params(memory=None)
    encoder = make_pipeline(extractor.fit(images), encoder[1])
    encoder.transform(images[:1])  # opens the network
    start = time.perf_counter()
    vectors = encoder.transform(images)
    return vectors.shape[1], 1e3 * (time.perf_counter() - start) / len(images)


def _draw(figure, comparison, turn, names):
    """Draw the gain, and images that only the pipeline knows, if matplotlib is there."""
    rescued = find_rescued(turn, names, N_SHOWN)
    try:
        draw(figure, comparison, rescued)
    except MissingDependencyError as error:
        print(f"No figure: {error}")
        return
    print(f"A picture of it: {figure}")
