"""Share work in arrays among threads, each of which multiplies matrices alone.

Products of a few thousand rows gain little from BLAS threads of their own, and lose ten times when
the processor has other work, because those threads wait for one another in a busy loop. So the
threads that BLAS would use take whole tiles or images instead, and BLAS is held to one thread.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController

__all__ = ["one_blas_thread", "thread_map"]

# One user at a time spreads work over threads; whoever comes meanwhile works in its own thread.
_spreading = Lock()


@contextmanager
def thread_map():
    """Lend a `map` that runs on as many threads as BLAS may use.

    Yields
    ------
    callable
        Like the builtin `map`, in order. While another one is lent, this is the builtin.
    """
    if not _spreading.acquire(blocking=False):
        yield map
        return
    try:
        with one_blas_thread() as n_threads, ThreadPoolExecutor(n_threads) as executor:
            yield map if n_threads == 1 else executor.map
    finally:
        _spreading.release()


class _Hold:
    """BLAS held to one thread for as long as anybody wants it so.

    The number of threads belongs to the process: the first sets it, the last puts it back.
    """

    def __init__(self):
        self._lock = Lock()
        self._holders, self._n_threads = 0, 1

    def take(self):
        """Hold BLAS; return how many threads it had."""
        with self._lock:
            if self._holders == 0:
                libraries = _blas().info()
                self._n_threads = max((each["num_threads"] for each in libraries), default=1)
                self._limits = _blas().limit(limits=1)
            self._holders += 1
            return self._n_threads

    def give_back(self):
        """Let go; the last one puts back what was."""
        with self._lock:
            self._holders -= 1
            if self._holders == 0:
                self._limits.restore_original_limits()


_HOLD = _Hold()


@contextmanager
def one_blas_thread():
    """Hold BLAS to one thread.

    Yields
    ------
    int
        The number of threads that BLAS had.
    """
    n_threads = _HOLD.take()
    try:
        yield n_threads
    finally:
        _HOLD.give_back()


@cache
def _blas():
    """Return the handles of the loaded BLAS libraries; finding them takes milliseconds."""
    return ThreadpoolController().select(user_api="blas")
