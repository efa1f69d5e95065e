"""Export a fitted pipeline, and compare a file with the pipeline that it was made of."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import sklearn
from sklearn.base import BaseEstimator

from skdeepenc._typing import PathLike
from skdeepenc._version import __version__
from skdeepenc.backbones.running.session import Graph, open_apart
from skdeepenc.exceptions import ExportError, ModelError
from skdeepenc.export.comparison import ExportReport, check_within, compare
from skdeepenc.export.entrances import find_entrance
from skdeepenc.export.files import (
    check_target,
    description_path,
    graph_written_aside,
    has_weights_beside,
    write_model,
)
from skdeepenc.export.graphs import write_graph
from skdeepenc.export.image_entrances import networks_of

__all__ = ["to_onnx", "verify"]

_KEY = "skdeepenc"  # of the description among a model's metadata
_CPU = ("CPUExecutionProvider",)


def to_onnx(
    pipeline: BaseEstimator,
    path: PathLike | None = None,
    *,
    input: str = "pixels",
    outputs: Sequence[str] | None = None,
    images: Any = None,
    tolerance: float = 1e-3,
    external_data: str | bool = "auto",
    sidecar: bool = True,
    approximate: bool = False,
    overwrite: bool = False,
) -> ExportReport:
    """Write a fitted pipeline as one ONNX graph, which onnxruntime runs without Python's help.

    Parameters
    ----------
    pipeline : estimator
        A fitted encoder, or a fitted `Pipeline` with one.
    path : path-like or None, default=None
        The file to write, by custom ``*.onnx``; None keeps the graph in memory. The file appears
        whole or not at all.
    input : {"pixels", "tensor", "maps"}, default="pixels"
        What the graph is given. With "pixels" that is ``images``, decoded images of any size, uint8
        of shape (N, H, W, 3); the views and the network are in the graph. With "tensor" it is
        ``pixels``, what the network takes, float32 of shape (N, 3, H, W); of a pyramid one per
        size, ``pixels/0``, ``pixels/1`` and so on. With "maps" it is one input per layer, by its
        name, float32 of shape (N, H, W, D) with free N, H and W; of several scales one per layer
        and scale, named ``layer/0``, ``layer/1`` and so on. All images of a call have one size.
    outputs : sequence of str or None, default=None
        Which of "vector", "scores", "probabilities", "class" and "neighbors" the graph returns;
        None takes all that the pipeline has.
    images : object or None, default=None
        Images, or feature maps with ``input="maps"``, to run both on before the file is kept.
        Every pixel of images is decoded, so train with ``decoding="full"`` in the views.
    tolerance : float, default=1e-3
        How far the cosine between what the graph and what the pipeline returns may be from 1. The
        vectors of each image are compared, and all scores together. At least nine of ten images
        must also get the same class.
    external_data : {"auto", True, False}, default="auto"
        Whether weights go into a file of their own, ``<path>.data``; "auto" does so beyond 2 GB,
        which no ONNX file holds.
    sidecar : bool, default=True
        Whether the description in the graph's metadata, under the key "skdeepenc", is also written
        as ``<path>.json``: parameters of the steps, versions, input, outputs, classes, and what was
        measured on `images`.
    approximate : bool, default=False
        Whether methods that have no exact graph may be written approximately. `tolerance` is then
        about the median cosine of the images; the report says the least one, too.
    overwrite : bool, default=False
        Whether to replace a file that is there.

    Returns
    -------
    ExportReport
        With `model`, the graph as bytes, and what was measured on `images`: `min_cosine`,
        `max_abs` and `class_agreement`.

    Raises
    ------
    ExportError
        If the pipeline is not fitted or has no graph, if the graph is outside `tolerance`, or the
        file cannot be written. The message says what to do; no file is left behind.

    See Also
    --------
    verify : Compare a file with its pipeline.
    register : Say how an estimator of your own is written.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.encoders import GlobalPooler
    >>> from skdeepenc.export import to_onnx
    >>> maps = np.random.default_rng(0).random((4, 7, 7, 16), dtype=np.float32)
    >>> report = to_onnx(GlobalPooler(method="gem").fit(maps), input="maps", images=maps)
    >>> report.n_images, round(report.min_cosine, 5)
    (4, 1.0)
    """
    entrance = find_entrance(input)
    steps = entrance.steps(pipeline)
    path = None if path is None else check_target(path, overwrite)
    model = write_graph(pipeline, steps, entrance, outputs, approximate)
    description = _describe(steps, input, model, approximate)
    comparison = entrance, steps, images, tolerance
    if path is None:
        if has_weights_beside(model, external_data):
            raise ExportError("Weights beside the graph, as beyond 2 GB, need a file: give a path.")
        return _finish(model, None, description, comparison)
    beside = has_weights_beside(model, external_data)
    with graph_written_aside(path) as folder:
        file = folder / path.name
        write_model(model, file, beside)
        report = _finish(model, folder, description, comparison)
        file.write_bytes(report.model)
        if sidecar:
            text = json.dumps(description, indent=2, ensure_ascii=False)
            description_path(file).write_text(text + "\n", encoding="utf-8")
    return report


def verify(
    pipeline: BaseEstimator,
    path: PathLike,
    images: Any,
    providers: str | Sequence[Any] | None = None,
) -> ExportReport:
    """Compare an exported file with the pipeline that it was made of.

    Parameters
    ----------
    pipeline : estimator
        What `to_onnx` was given.
    path : path-like
        The file.
    images : object
        Images, or feature maps for a graph of ``input="maps"``.
    providers : "auto", list or None, default=None
        Where onnxruntime runs the graph; None for the processor, "auto" for a GPU where there is
        one.

    Returns
    -------
    ExportReport
        What was measured.

    Raises
    ------
    ExportError
        If the file is not one of `to_onnx`, or wants other images.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skdeepenc.encoders import GlobalPooler
    >>> from skdeepenc.export import to_onnx, verify
    >>> maps = np.random.default_rng(0).random((4, 7, 7, 16), dtype=np.float32)
    >>> pooler = GlobalPooler().fit(maps)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = to_onnx(pooler, f"{folder}/pooler.onnx", input="maps")
    ...     verify(pooler, f"{folder}/pooler.onnx", maps).min_cosine > 0.99999
    True
    """
    path = Path(path)
    content = _read(path)
    description = _description_in(content, path)
    entrance = find_entrance(description["input"])
    approximate = description.get("approximate", False)
    try:
        session = open_apart(Graph(content, path.parent), providers or list(_CPU))
    except ModelError as error:
        raise ExportError(f"{path}: {error}") from error
    return compare(session, content, entrance, entrance.steps(pipeline), images, approximate)


def _describe(steps, kind, model, approximate):
    """Return the description of an export, for its metadata."""
    return {
        "format": 1,
        "versions": {
            "skdeepenc": __version__,
            "scikit-learn": sklearn.__version__,
            "onnx": onnx.__version__,
        },
        "input": kind,
        "approximate": approximate,
        "outputs": [output.name for output in model.graph.output],
        "networks": networks_of(steps),
        "classes": _plain(getattr(steps[-1][1], "classes_", None)),
        "steps": [
            {
                "name": name,
                "type": f"{type(step).__module__}.{type(step).__qualname__}",
                "parameters": {key: _plain(x) for key, x in step.get_params(deep=False).items()},
            }
            for name, step in steps
        ],
    }


def _plain(value):
    """Return a value as JSON holds it, by its representation where JSON has nothing like it."""
    if isinstance(value, bytes):  # a whole network, which the graph holds already
        return f"{len(value)} bytes, SHA-256 {hashlib.sha256(value).hexdigest()}"
    value = value.tolist() if hasattr(value, "tolist") else value
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return repr(value)
    return value


def _finish(model, folder, description, comparison):
    """Compare a model with its pipeline, and write into its metadata what it is."""
    entrance, steps, images, tolerance = comparison
    report = ExportReport(b"")
    if images is not None:
        content = model.SerializeToString()
        session = open_apart(Graph(content, folder), list(_CPU))
        report = compare(session, content, entrance, steps, images, description["approximate"])
        check_within(report, tolerance)
        description["measured"] = {"tolerance": tolerance, **report.figures}
    onnx.helper.set_model_props(model, {_KEY: json.dumps(description)})
    return replace(report, model=model.SerializeToString())


def _read(path):
    try:
        return path.read_bytes()
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {error.strerror}.") from error


def _description_in(content, path):
    """Return the description among a graph's metadata."""
    try:
        properties = onnx.load_model_from_string(content).metadata_props
        return json.loads(next(each.value for each in properties if each.key == _KEY))
    except Exception as error:  # protobuf's own types, for what is not a graph at all
        raise ExportError(f"{path} was not written by skdeepenc.export.to_onnx.") from error
