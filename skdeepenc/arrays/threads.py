"""Share work among threads: the two ways in which this package does so.

`for_each` shares the tiles of one computation. Products of a few thousand rows gain little from
BLAS threads of their own, and lose ten times when the processor has other work, because those
threads wait for one another in a busy loop. So the threads that BLAS would use take whole tiles or
images instead, and BLAS is held to one thread.

`in_jobs` is what `n_jobs` means in every estimator: so many threads that take one batch of images,
or of queries, each. Whichever comes first to `for_each` has its threads, and the other jobs work on
in their own.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context, copy_context
from functools import cache, partial
from threading import Lock, local
from typing import Any

from joblib import cpu_count, effective_n_jobs
from joblib.parallel import get_active_backend
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import ThreadpoolController

__all__ = ["count_jobs", "for_each", "in_jobs", "kept_threads", "one_blas_thread"]

# One user at a time spreads work over threads; whoever comes meanwhile works in its own thread.
_spreading = Lock()
_own = local()  # where threads are kept: the `map` of the thread that keeps them


def for_each(
    work: Callable[[Any], Any],
    items: Iterable[Any],
    receive: Callable[[Any], object] | None = None,
    *,
    n_threads: int | None = None,
) -> Any:
    """Do `work` on each item, on as many threads as BLAS may use.

    Parameters
    ----------
    work : callable
        Called with one item, in any thread, while BLAS is held to one.
    items : iterable
        Tiles, images, or whatever else the work is cut into.
    receive : callable or None, default=None
        Called with each result, in the caller's thread and in order, as soon as it is there; None
        collects the results.
    n_threads : int or None, default=None
        How many threads, None for as many as BLAS has.

    Returns
    -------
    list or None
        The results in order, unless they were received.

    Examples
    --------
    >>> from skdeepenc.arrays.threads import for_each
    >>> for_each(lambda tile: sum(range(10)[tile]), [slice(0, 5), slice(5, 10)])
    [10, 35]
    """
    with kept_threads(n_threads) as share:
        results = share(partial(_in_context, copy_context(), work), items)
        if receive is None:
            return list(results)
        for result in results:
            receive(result)
        return None


def _in_context(context: Context, work: Callable[[Any], Any], item: Any) -> Any:
    """Work as the caller would: under its `numpy.errstate`, say."""
    return context.copy().run(work, item)


@contextmanager
def kept_threads(n_threads: int | None = None) -> Iterator[Callable[..., Iterator[Any]]]:
    """Keep the threads of `for_each` from one call to the next.

    Parameters
    ----------
    n_threads : int or None, default=None
        How many, None for as many as BLAS has.

    Yields
    ------
    callable
        Like the builtin `map`, in order. While another user's threads are at work, and where there
        is one thread, it is the builtin.
    """
    if not _spreading.acquire(blocking=False):
        yield getattr(_own, "map", map)
        return
    try:
        with one_blas_thread() as n_blas, ThreadPoolExecutor(n_threads or n_blas) as executor:
            _own.map = map if (n_threads or n_blas) == 1 else executor.map
            yield _own.map
    finally:
        _own.map = map
        _spreading.release()


def in_jobs(
    work: Callable[[Any], Any], items: Iterable[Any], n_jobs: int | None = None
) -> Iterator[Any]:
    """Yield what `work` makes of each item, several at a time: the meaning of `n_jobs`.

    Jobs are threads whatever backend joblib is told to use, since what they work on is large and
    what they spend their time in lets go of the interpreter.

    Parameters
    ----------
    work : callable
        Called with one item.
    items : iterable
        Batches; the next one is taken when a job is free.
    n_jobs : int or None, default=None
        How many at a time, in joblib's meaning: None is 1 unless a `joblib.parallel_config` says
        otherwise, -1 stands for all processors.

    Yields
    ------
    object
        The results, in order.

    Examples
    --------
    >>> from skdeepenc.arrays.threads import in_jobs
    >>> list(in_jobs(abs, [-1, -2, -3], n_jobs=2))
    [1, 2, 3]
    """
    n_jobs = count_jobs(n_jobs)
    if n_jobs == 1:  # starting joblib would take as long as to rank one query by an index
        yield from map(work, items)
        return
    run = Parallel(
        n_jobs,
        prefer="threads",  # else a configuration that prefers processes contradicts the next line
        require="sharedmem",
        return_as="generator",
        pre_dispatch="n_jobs",
    )
    yield from run(delayed(work)(item) for item in items)


def count_jobs(n_jobs: int | None = None) -> int:
    """Return how many threads `n_jobs` stands for.

    A backend of processes, or of a cluster, counts workers that threads of this process cannot use:
    where it is left to the backend, there are at most as many as processors.

    Parameters
    ----------
    n_jobs : int or None, default=None
        In joblib's meaning.

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    >>> from skdeepenc.arrays.threads import count_jobs
    >>> count_jobs(2)
    2
    """
    n_workers = effective_n_jobs(n_jobs)
    if n_jobs is not None and n_jobs > 0:
        return n_workers
    backend, _ = get_active_backend()
    if getattr(backend, "supports_sharedmem", False):
        return n_workers
    return min(n_workers, cpu_count())


class _Hold:
    """BLAS held to one thread for as long as anybody wants it so.

    The number of threads belongs to the process: the first sets it, the last puts it back.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._holders, self._n_threads = 0, 1

    def take(self) -> int:
        """Hold BLAS; return how many threads it had."""
        with self._lock:
            if self._holders == 0:
                libraries = _blas().info()
                self._n_threads = max((each["num_threads"] for each in libraries), default=1)
                self._limits = _blas().limit(limits=1)
            self._holders += 1
            return self._n_threads

    def give_back(self) -> None:
        """Let go; the last one puts back what was."""
        with self._lock:
            self._holders -= 1
            if self._holders == 0:
                self._limits.restore_original_limits()


_HOLD = _Hold()


@contextmanager
def one_blas_thread() -> Iterator[int]:
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
def _blas() -> Any:
    """Return the handles of the loaded BLAS libraries; finding them takes milliseconds."""
    return ThreadpoolController().select(user_api="blas")
