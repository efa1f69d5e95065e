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

__all__ = ["thread_map"]

# The number of BLAS threads belongs to the process: one at a time may set it, and put it back.
_setting_blas = Lock()


@contextmanager
def thread_map():
    """Lend a `map` that runs on as many threads as BLAS may use.

    Yields
    ------
    callable
        Like the builtin `map`, in order. While another one is lent, this is the builtin.
    """
    if not _setting_blas.acquire(blocking=False):
        yield map
        return
    try:
        n_threads = max((library["num_threads"] for library in _blas().info()), default=1)
        with _blas().limit(limits=1), ThreadPoolExecutor(n_threads) as executor:
            yield map if n_threads == 1 else executor.map
    finally:
        _setting_blas.release()


@cache
def _blas():
    """Return the handles of the loaded BLAS libraries; finding them takes milliseconds."""
    return ThreadpoolController().select(user_api="blas")
