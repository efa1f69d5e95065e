"""Try a graph that may ask for too much, within bounds of time and memory.

A loop in a graph may have no end, and a shape that it computes may be absurd: neither is seen by
reading it.
"""

from skdeepenc.backbones.running.runtime import (
    MAX_MEMORY,
    feeds_of,
    first_line,
    open_limited,
    ran_out_of_memory,
    run_watched,
)
from skdeepenc.backbones.running.threads import available_threads
from skdeepenc.exceptions import ModelError

#: How long one blank image may take of a graph that is tried first.
MAX_SECONDS = 4


class RunawayError(ModelError):
    """A graph that does not end, or asks for absurdly much memory."""


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
    try:
        session = open_limited(graph.content, graph.folder, available_threads())
        return run_watched(session, feeds_of(session, pixels, feeds), MAX_SECONDS)
    except TimeoutError as error:
        raise RunawayError(
            f"it does not end within {MAX_SECONDS} seconds on one blank image; a loop in the graph "
            "may have no end."
        ) from error
    except Exception as error:
        if ran_out_of_memory(error):
            raise RunawayError(
                f"it takes more than {MAX_MEMORY / 2**30:.1f} GiB for one blank image."
            ) from error
        raise ModelError(first_line(error)) from error


def try_graph(graph):
    """Run a graph on its blank image, and refuse it if that gets out of hand."""
    try:
        run_once(graph, *graph.trial)
    except RunawayError:
        raise
    except ModelError:
        pass  # another batch or size may do; whoever runs it will be told
