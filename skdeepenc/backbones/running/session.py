"""Sessions of graphs: which of them this process keeps, and how they run.

A session holds native threads and memory. It can be neither pickled nor copied, so sessions live
here, in a table of the process, and everybody else holds a key.

A forked child must also end by `os._exit`, as those of multiprocessing do: onnxruntime's own
destructors hang there, whether it has sessions or not.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skdeepenc.backbones.running.providers import CPU, warn_of_missing
from skdeepenc.backbones.running.runtime import (
    feeds_of,
    first_line,
    open_session,
    resolve_providers,
    run_bound,
    run_watched,
)
from skdeepenc.backbones.running.session_table import SessionTable
from skdeepenc.backbones.running.threads import available_threads
from skdeepenc.backbones.running.trial import try_graph
from skdeepenc.exceptions import ModelError

# A process that goes through many models must not keep them all.
MAX_SESSIONS = 8


class Graph(NamedTuple):
    """What a session is opened from.

    Attributes
    ----------
    content : bytes
        The serialized graph.
    folder : Path or None
        Where its other weights lie.
    confirm : callable or None
        Raises if those were not what they should be; called once they are read.
    trial : (array of shape (1, 3, height, width), dict) or None
        A blank image and other inputs, to try a graph on that may ask for too much.
    """

    content: bytes
    folder: Path | None = None
    confirm: Callable[[], object] | None = None
    trial: tuple[np.ndarray, dict[str, np.ndarray]] | None = None


_TABLE = SessionTable()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_TABLE.forget_after_fork)


def get_session(key, build, *, providers="auto", n_threads=None, arena=True):
    """Return this process's session of a graph, opened when it is first asked for.

    Parameters
    ----------
    key : hashable
        Stands for the graph: equal keys share a session.
    build : callable
        Returns the `Graph` to open.
    providers : "auto" or list, default="auto"
        Execution providers, as onnxruntime names them, best first.
    n_threads : int, optional
        Threads of the session; None takes what this process may use.
    arena : bool, default=True
        Whether onnxruntime keeps the memory of past runs. Images of many sizes want it off.

    Returns
    -------
    onnxruntime.InferenceSession
        The session.
    """
    requested = resolve_providers(providers)
    n_threads = available_threads() if n_threads is None else n_threads
    key = (key, repr(requested), n_threads, arena)
    with _TABLE.lock:
        session = _TABLE.sessions.get(key)
        if session is None:
            session = _open(build(), requested, n_threads, arena)
            _TABLE.sessions[key] = session
            if len(_TABLE.sessions) > MAX_SESSIONS:
                _TABLE.sessions.popitem(last=False)
        _TABLE.sessions.move_to_end(key)
    if providers != "auto":
        warn_of_missing(requested, session.get_providers(), _TABLE.warned)
    return session


def run_session(session, pixels, feeds=None):
    """Run a session on a batch.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        What `get_session` returned.
    pixels : array of shape (batch, 3, height, width), float32
        The input.
    feeds : dict of str to array, optional
        What the graph reads beside pixels.

    Returns
    -------
    list of array
        The outputs, in their order.

    Raises
    ------
    ModelError
        If the graph does not run on such a batch.
    """
    return run_feeds(session, feeds_of(session, pixels, feeds))


def run_feeds(session, feeds):
    """Run a session on all its inputs by their names.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        What `get_session` returned.
    feeds : dict of str to array
        The inputs.

    Returns
    -------
    list of array
        The outputs, in their order.

    Raises
    ------
    ModelError
        If the graph does not run on such inputs.
    """
    try:
        if getattr(session, "is_watched", False):
            return run_watched(session, feeds)
        return session.run(None, feeds)
    except Exception as error:  # onnxruntime raises its own types, one for each status code
        raise ModelError(first_line(error)) from error


def run_there(session, feeds, outputs, *, stay=False):
    """Run a session on arrays that are put where it runs, and fetch the outputs named.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        What `get_session` returned.
    feeds : dict of str to array
        The inputs.
    outputs : sequence of str
        Which outputs to compute.
    stay : bool, default=False
        Whether to leave them where they are.

    Returns
    -------
    list of array or onnxruntime.OrtValue
        The outputs; those that stay have a method `numpy`.

    Raises
    ------
    ModelError
        If the graph does not run on such inputs.
    """
    try:
        return run_bound(session, feeds, outputs, stay)
    except Exception as error:  # onnxruntime raises its own types, one for each status code
        raise ModelError(first_line(error)) from error


def open_apart(graph, providers="auto"):
    """Open a session that only the caller keeps.

    Parameters
    ----------
    graph : Graph
        The graph.
    providers : "auto" or list, default="auto"
        Execution providers, best first.

    Returns
    -------
    onnxruntime.InferenceSession
        The session.
    """
    requested = resolve_providers(providers)
    session = _open(graph, requested, available_threads(), arena=False)
    if providers != "auto":
        warn_of_missing(requested, session.get_providers(), _TABLE.warned)
    return session


def run_apart(content, pixels):
    """Run a graph of our own making on the processor, and forget it.

    Parameters
    ----------
    content : bytes
        The serialized graph, its weights inside.
    pixels : array of shape (batch, channels, height, width)
        The input, of the type that the graph takes.

    Returns
    -------
    list of array
        The outputs, in their order.

    Raises
    ------
    ModelError
        If the graph does not run on such a batch.
    """
    return run_session(open_apart(Graph(content), [CPU]), pixels)


def _open(graph, providers, n_threads, arena):
    """Open a session, of a graph that may ask for too much once it was tried."""
    if graph.trial is not None:
        try_graph(graph)
    session = open_session(graph.content, graph.folder, providers, n_threads, arena)
    session.is_watched = graph.trial is not None
    if graph.confirm is not None:
        graph.confirm()
    return session
