"""Run a graph: the one file that knows onnxruntime.

A session holds native threads and memory. It can be neither pickled nor copied, so sessions live
here, in a table of the process, and everybody else holds a key.

A forked child must also end by `os._exit`, as those of multiprocessing do: onnxruntime's own
destructors hang there, whether it has sessions or not.
"""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import onnxruntime

from skdeepenc.backbones.running.providers import CPU, provider_name, resolve, warn_of_missing
from skdeepenc.backbones.running.session_table import SessionTable
from skdeepenc.backbones.running.threads import available_threads
from skdeepenc.backbones.running.watch import watched
from skdeepenc.exceptions import ModelError

# A process that goes through many models must not keep them all.
MAX_SESSIONS = 8
_SILENT, _WARNING = 4, 2
# What one blank image may take of a graph that is tried first.
MAX_SECONDS = 4
MAX_MEMORY = 3 << 29
_AS_MUCH_AS_NEEDED = 1
# How onnxruntime's arena says that its limit is reached.
_OUT_OF_MEMORY = "is smaller than requested bytes"


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
    confirm: Callable | None = None
    trial: tuple | None = None


class RunawayError(ModelError):
    """A graph that does not end, or asks for absurdly much memory."""


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
    return run_feeds(session, _all_feeds(session, pixels, feeds))


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
            return _run_watched(session, feeds)
        return session.run(None, feeds)
    except Exception as error:  # onnxruntime raises its own types, one for each status code
        raise ModelError(_first_line(error)) from error


def run_once(graph, pixels, feeds=None):
    """Run a graph that may ask for too much, once, within bounds of time and memory.

    Parameters
    ----------
    graph : Graph
        The graph.
    pixels : array of shape (batch, 3, height, width), float32
        The input.
    feeds : dict of str to array, optional
        What the graph reads beside them.

    Returns
    -------
    list of array
        The outputs, in their order.

    Raises
    ------
    RunawayError
        If it does not end within `MAX_SECONDS`, or takes more than `MAX_MEMORY`.
    ModelError
        If it does not run on such a batch.
    """
    options = _options(graph, available_threads(), arena=True)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    _limit_memory(options)
    try:
        session = _create(graph.content, options, [CPU])
        return _run_watched(session, _all_feeds(session, pixels, feeds), MAX_SECONDS)
    except TimeoutError as error:
        raise RunawayError(
            f"it does not end within {MAX_SECONDS} seconds on one blank image; a loop in the graph "
            "may have no end."
        ) from error
    except Exception as error:
        if _OUT_OF_MEMORY in str(error):
            raise RunawayError(
                f"it takes more than {MAX_MEMORY / 2**30:.1f} GiB for one blank image."
            ) from error
        raise ModelError(_first_line(error)) from error


def _all_feeds(session, pixels, feeds):
    return {session.get_inputs()[0].name: pixels, **(feeds or {})}


def _run_watched(session, feeds, seconds=None):
    """Run a session so that Ctrl-C, or the clock, can end it."""
    options = onnxruntime.RunOptions()
    options.log_severity_level = _SILENT

    def terminate():
        options.terminate = True

    return watched(lambda: session.run(None, feeds, options), terminate, seconds)


def _limit_memory(options):
    """Give a session the allocator that has a limit; weights do not count."""
    _register_limited_allocator()
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")


@cache
def _register_limited_allocator():
    """Make the allocator that sessions of this process may share, once."""
    kind, memory = onnxruntime.OrtAllocatorType, onnxruntime.OrtMemType
    place = onnxruntime.OrtMemoryInfo("Cpu", kind.ORT_ARENA_ALLOCATOR, 0, memory.DEFAULT)
    growth = dict.fromkeys(("initial_chunk_size_bytes", "max_dead_bytes_per_chunk"), -1)
    growth |= {"max_mem": MAX_MEMORY, "arena_extend_strategy": _AS_MUCH_AS_NEEDED}
    onnxruntime.create_and_register_allocator(place, onnxruntime.OrtArenaCfg(growth))


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


def resolve_providers(providers):
    """Return the providers to ask for, best first, the processor always last."""
    return resolve(
        providers, onnxruntime.get_available_providers(), onnxruntime.get_all_providers()
    )


def _open(graph, providers, n_threads, arena):
    """Open a session with the providers that work, in silence."""
    if graph.trial is not None:
        _try(graph)
    options = _options(graph, n_threads, arena)
    present = set(onnxruntime.get_available_providers())
    candidates = [entry for entry in providers if provider_name(entry) in present]
    # A provider whose libraries are missing prints errors from C++; we say it once, ourselves.
    onnxruntime.set_default_logger_severity(_SILENT)
    try:
        session = _create(graph.content, options, candidates)
    finally:
        onnxruntime.set_default_logger_severity(_WARNING)
    session.is_watched = graph.trial is not None
    if graph.confirm is not None:
        graph.confirm()
    return session


def _try(graph):
    """Run a graph on its blank image, and refuse it if that gets out of hand."""
    try:
        run_once(graph, *graph.trial)
    except RunawayError:
        raise
    except ModelError:
        pass  # another batch or size may do; who runs it will be told


def _options(graph, n_threads, arena):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _SILENT
    options.enable_cpu_mem_arena = arena
    options.enable_mem_pattern = arena
    # Waiting threads must not burn the processors that decode images or run other workers.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Older processors add products of bytes with a sign in 16 bits, which overflow: as bytes
    # without a sign they do not. Nothing changes for other graphs and other processors.
    options.add_session_config_entry("session.x64quantprecision", "1")
    if graph.folder is not None:
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", os.fspath(graph.folder)
        )
    return options


def _create(graph, options, providers):
    """Create a session; where a provider fails, go on with the processor alone."""
    level = options.graph_optimization_level
    # onnxruntime's own rewriting of quantised graphs can fail where two nodes share a weight.
    plain = min(level, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC, key=int)
    for attempt, options.graph_optimization_level in (
        (providers, level),
        (providers, plain),
        ([CPU], level),
        ([CPU], plain),
    ):
        try:
            session = onnxruntime.InferenceSession(
                graph, options, attempt, enable_fallback=0, read_config_from_model=0
            )
        except Exception as error:  # one type of onnxruntime's for each status code
            failure = error
            continue
        # Python's wrapper keeps the serialized graph, weights and all, for a fallback we refuse.
        session._model_bytes = None
        return session
    raise ModelError(f"onnxruntime cannot open the graph: {_first_line(failure)}") from failure


def _first_line(error):
    return str(error).strip().partition("\n")[0]
