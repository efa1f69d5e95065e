"""How far a graph is from the pipeline that it was made of: the report of an export."""

from dataclasses import dataclass

import numpy as np

from skdeepenc.backbones.running.session import run_feeds
from skdeepenc.exceptions import ExportError
from skdeepenc.export.outputs import reference_outputs
from skdeepenc.functional import l2_normalize

__all__ = ["ExportReport", "check_within", "compare", "is_within"]

# Two classes at a tie may change places; more often, and a classifier is not what was fitted.
_LEAST_AGREEMENT = 0.9


@dataclass(frozen=True, repr=False)
class ExportReport:
    """A graph, and how it compares with Python.

    Attributes
    ----------
    model : bytes
        The graph as it stands in the file, without weights that lie beside it.
    n_images : int
        Number of images that both were run on.
    min_cosine : float or None
        Least cosine between a vector of the graph and Python's; None without images, or where no
        output holds floats.
    median_cosine : float or None
        The median over images, of vectors; of other outputs the one cosine that they have.
    max_abs : float or None
        Largest difference between values.
    class_agreement : float or None
        Share of images whose class is the same; None without classes.
    approximate : bool
        Whether the graph may be approximate, so that it is judged by the median cosine: single
        images may be farther.
    """

    model: bytes
    n_images: int = 0
    min_cosine: float | None = None
    median_cosine: float | None = None
    max_abs: float | None = None
    class_agreement: float | None = None
    approximate: bool = False

    def __repr__(self) -> str:
        return f"ExportReport({len(self.model):,} bytes, {self.figures})"

    @property
    def figures(self) -> dict[str, float]:
        """What was measured, by name."""
        names = "n_images", "min_cosine", "median_cosine", "max_abs", "class_agreement"
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


def compare(session, model, entrance, steps, images, approximate):
    """Run a graph and Python on the same images.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        The opened graph.
    model : bytes
        The graph, for the report.
    entrance : Entrance
        What the graph is given.
    steps : list of (str, estimator)
        What it holds.
    images : object
        What `entrance` takes.
    approximate : bool
        Whether the graph may be approximate.

    Returns
    -------
    ExportReport
        The figures.
    """
    names = [output.name for output in session.get_outputs()]
    images = entrance.prepare(images)
    expected = reference_outputs(steps, images, names)
    got = {name: np.zeros_like(values, order="C") for name, values in expected.items()}
    inputs = [each.name for each in session.get_inputs()]
    for rows, feeds in entrance.batches(images, inputs, steps):
        for name, values in zip(names, run_feeds(session, feeds), strict=True):
            if values.shape[1:] != expected[name].shape[1:]:
                raise ExportError(
                    f"The graph gives {name!r} of shape {values.shape}, and the pipeline of "
                    f"{expected[name].shape}: it is not the pipeline of this graph."
                )
            got[name][rows] = values
    floats = [name for name in names if expected[name].dtype.kind == "f"]
    cosines = [_cosines(expected[name], got[name], name) for name in floats]
    differences = [float(np.abs(expected[name] - got[name]).max()) for name in floats]
    return ExportReport(
        model,
        n_images=len(expected[names[0]]),
        min_cosine=min((float(each.min()) for each in cosines), default=None),
        median_cosine=min((float(np.median(each)) for each in cosines), default=None),
        max_abs=max(differences, default=None),
        class_agreement=_agreement(expected, got),
        approximate=approximate,
    )


def _cosines(expected, got, name):
    """Return the cosines of rows, or of all values at once where they are not vectors."""
    if name != "vector":
        expected, got = expected.reshape(1, -1), got.reshape(1, -1)
    cosines = np.sum(l2_normalize(expected.astype(float)) * l2_normalize(got.astype(float)), axis=1)
    both_empty = ~expected.any(axis=1) & ~got.any(axis=1)
    return np.where(both_empty, 1.0, cosines)


def _agreement(expected, got):
    if "class" not in expected:
        return None
    return float(np.mean(expected["class"] == got["class"]))


def is_within(report, tolerance):
    """Whether a graph is as near to Python as is tolerated, by cosines and by classes."""
    cosine = report.median_cosine if report.approximate else report.min_cosine
    agreement = report.class_agreement
    too_far = cosine is not None and not 1 - cosine <= tolerance
    return not too_far and (agreement is None or agreement >= _LEAST_AGREEMENT)


def check_within(report, tolerance):
    """Raise an error if a graph is farther from Python than is tolerated.

    Parameters
    ----------
    report : ExportReport
        What was measured.
    tolerance : float
        How far the cosine that decides may be from 1.

    Raises
    ------
    ExportError
        If one is farther, or more than a tenth of the classes are others.
    """
    if not is_within(report, tolerance):
        raise ExportError(
            f"The graph differs from the pipeline by more than tolerance={tolerance:g}: "
            f"{report.figures}. Nothing was written. A larger tolerance keeps the file."
        )
