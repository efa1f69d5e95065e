"""Run a function in a process of its own, with bounds on its time and memory.

A crash, an endless loop or a greedy allocation is then a result of the test, not its end.
"""

import multiprocessing
import resource
import traceback

# A server that has the imports, no threads of ours and no sessions; each process is a fork of it.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["skdeepenc.datasets", "skdeepenc.extraction", "skdeepenc.retrieval"])


def watched(function, *arguments, seconds=60, gigabytes=4):
    """Return what a function of a module returns; raise AssertionError however it fails."""
    here, there = SERVER.Pipe(duplex=False)
    process = SERVER.Process(target=_run, args=(there, gigabytes, function, *arguments))
    process.start()
    there.close()
    try:
        assert here.poll(seconds), f"{function.__name__} was not done after {seconds} s"
        result, failure = here.recv()
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
