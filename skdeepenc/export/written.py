"""Sessions of graphs of estimators, written again when these were fitted again.

What a process has opened is no part of an estimator: copies and pickles hold none of it.
"""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from skdeepenc.backbones.running.session import Graph, get_session
from skdeepenc.export.files import has_weights_beside, write_model

__all__ = ["session_of"]

# By what runs them: the attributes of the estimators that graphs were written of, and the graphs'
# keys among the sessions of this process.
_WRITTEN: WeakKeyDictionary[Any, tuple[list[dict[str, Any]], object]] = WeakKeyDictionary()


def session_of(owner, estimators, write, providers):
    """Return the session of a graph of estimators as they are now.

    Parameters
    ----------
    owner : object
        Who runs the graph.
    estimators : sequence of estimator
        What the graph is written of.
    write : callable
        Writes it: returns an `onnx.ModelProto`.
    providers : "auto", str or list
        Where onnxruntime runs.

    Returns
    -------
    onnxruntime.InferenceSession
        The session.
    """
    states = [dict(vars(estimator)) for estimator in estimators]
    written, key = _WRITTEN.get(owner, ([], None))
    if key is None or not _are_same(states, written):
        key = object()
        _WRITTEN[owner] = states, key
    return get_session(key, partial(_openable, write), providers=providers)


def _are_same(states, written):
    return len(states) == len(written) and all(
        now.keys() == then.keys() and all(now[name] is then[name] for name in now)
        for now, then in zip(states, written, strict=True)
    )


def _openable(write):
    """Return a graph to open; large weights lie in a folder until they are read."""
    model = write()
    if not has_weights_beside(model, "auto"):
        return Graph(model.SerializeToString())
    folder = tempfile.TemporaryDirectory(prefix="skdeepenc-")
    write_model(model, Path(folder.name) / "graph.onnx", beside=True)
    return Graph(model.SerializeToString(), Path(folder.name), confirm=folder.cleanup)
