"""Run a function in a process of its own, with bounds on its time and memory.

A crash, an endless loop or a greedy allocation is then a result of the test, not its end.
"""

import contextlib
import multiprocessing
import resource
import signal
import sys
import traceback

# A server that has the imports, no threads of ours and no sessions; each process is a fork of it.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        *("pytest", "onnx.helper", "PIL.ImageCms", "sklearn.model_selection"),
        *("skdeepenc.datasets", "skdeepenc.extraction", "skdeepenc.retrieval"),
        *("skdeepenc.encoders", "skdeepenc.persistence"),
    ]
)


def watched(function, *arguments, seconds=60, gigabytes=4):
    """Return what a function of a module returns; raise AssertionError however it fails."""
    here, there = SERVER.Pipe(duplex=False)
    process = SERVER.Process(target=_run, args=(there, gigabytes, function, *arguments))
    process.start()
    there.close()
    try:
        assert here.poll(seconds), f"{function.__name__} was not done after {seconds} s"
        result, failure = here.recv()
        process.join(10)  # it has semaphores to give back
    except EOFError:
        process.join()
        raise AssertionError(f"{function.__name__} died: {process.exitcode}") from None
    finally:
        process.kill()
        process.join()
    assert failure is None, failure
    return result


def _run(pipe, gigabytes, function, *arguments):
    resource.setrlimit(resource.RLIMIT_AS, (gigabytes << 30, gigabytes << 30))
    try:
        pipe.send((function(*arguments), None))
    except BaseException:
        pipe.send((None, traceback.format_exc()))


def peak_gigabytes():
    """Return the most memory that this process ever held."""
    unit = 1 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


class TooSlowError(BaseException):
    """A case took too long; not an Exception, which parsers of damaged files swallow."""


@contextlib.contextmanager
def within_seconds(seconds):
    """Raise TooSlowError in what takes longer, as soon as it comes back to Python."""

    def stop(*_):
        raise TooSlowError(seconds)

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
