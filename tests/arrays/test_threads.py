"""Threads: in order, errors come through, and BLAS gets back what it had."""

from threading import Event, Thread, get_ident

import joblib
import numpy as np
import pytest
from joblib.parallel import ParallelBackendBase
from threadpoolctl import threadpool_limits

from skdeepenc.arrays.threads import (
    _blas,
    count_jobs,
    for_each,
    in_jobs,
    kept_threads,
    one_blas_thread,
)


def blas_threads():
    """Threads of the libraries that numpy and scipy multiply with.

    faiss brings another one, built on OpenMP, whose limit holds in the thread that sets it alone.
    """
    libraries = _blas().info()
    return [each["num_threads"] for each in libraries if each.get("threading_layer") != "openmp"]


def test_results_come_in_order():
    assert for_each(lambda number: number**2, range(50)) == [n**2 for n in range(50)]


def test_results_are_received_in_order_by_the_caller():
    received = []
    kept = for_each(abs, range(20), lambda result: received.append((result, get_ident())))
    assert kept is None
    assert received == [(number, get_ident()) for number in range(20)]


def test_blas_has_one_thread_inside_and_its_own_number_after():
    before = blas_threads()
    inside = for_each(lambda _: tuple(blas_threads()), range(4))
    assert set(inside) == {(1,) * len(before)}
    assert blas_threads() == before


def test_limit_of_the_caller_is_kept():
    with threadpool_limits(1):
        assert set(for_each(lambda _: get_ident(), range(8))) == {get_ident()}


def test_threads_are_as_many_as_asked_for():
    assert set(for_each(lambda _: get_ident(), range(8), n_threads=1)) == {get_ident()}
    assert get_ident() not in for_each(lambda _: get_ident(), range(8), n_threads=2)


def test_kept_threads_serve_every_call_inside():
    with threadpool_limits(2), kept_threads(1):
        assert set(for_each(lambda _: get_ident(), range(8), n_threads=2)) == {get_ident()}


def test_work_inside_work_stays_in_its_thread():
    def work(_):
        return get_ident(), set(for_each(lambda _: get_ident(), range(3)))

    assert all({outer} == inner for outer, inner in for_each(work, range(6), n_threads=2))


def fail(number):
    raise KeyError(number)


def test_errors_come_through_and_restore_blas():
    before = blas_threads()
    with pytest.raises(KeyError):
        for_each(fail, range(3))
    assert blas_threads() == before


def test_overlapping_users_restore_blas():
    """The second enters while BLAS is held and leaves last: it must not put back what it saw."""
    before = blas_threads()
    entered, leave, inside = Event(), Event(), []

    def second_user():
        with kept_threads() as share:
            inside.append(share)
            entered.set()
            leave.wait(10)

    thread = Thread(target=second_user)
    with kept_threads():
        thread.start()
        assert entered.wait(10)
    leave.set()
    thread.join()
    assert inside == [map]
    assert blas_threads() == before


def test_the_last_holder_gives_blas_back():
    before = blas_threads()
    with one_blas_thread():
        with one_blas_thread() as had:
            assert had == max(before)
        assert blas_threads() == [1] * len(before)
    assert blas_threads() == before


@pytest.mark.parametrize("n_jobs", [None, 1, 2, -1])
def test_jobs_give_results_in_order(n_jobs):
    assert list(in_jobs(abs, range(-9, 0), n_jobs)) == list(range(9, 0, -1))


def test_jobs_are_threads_under_a_backend_of_processes():
    """What is not picklable could not reach another process."""
    with joblib.parallel_config("loky", n_jobs=2):
        assert list(in_jobs(lambda number: number + 1, range(4))) == [1, 2, 3, 4]


def test_jobs_are_threads_where_processes_are_preferred():
    with joblib.parallel_config(prefer="processes", n_jobs=2):
        assert list(in_jobs(lambda number: number + 1, range(4))) == [1, 2, 3, 4]


class Cluster(ParallelBackendBase):
    """A backend as Dask and Ray bring one: 400 workers elsewhere, no shared memory."""

    supports_sharedmem = False

    def effective_n_jobs(self, n_jobs):
        return 400 if n_jobs is None or n_jobs < 0 else n_jobs

    def apply_async(self, func, callback=None):
        raise AssertionError("work of threads was sent to the cluster")

    submit = apply_async


def test_jobs_stay_here_and_within_the_processors_under_a_cluster():
    joblib.register_parallel_backend("cluster", Cluster)
    threads = set()

    def work(number):
        threads.add(get_ident())
        return -number

    with joblib.parallel_config("cluster"):
        assert count_jobs(-1) == count_jobs(None) == joblib.cpu_count()
        assert count_jobs(3) == 3
        assert list(in_jobs(work, range(20))) == [-number for number in range(20)]
        assert len(threads) <= joblib.cpu_count()
        assert list(in_jobs(work, range(20), 3)) == [-number for number in range(20)]
    with joblib.parallel_config("threading", n_jobs=3):
        assert count_jobs() == 3


def test_work_is_done_under_the_errstate_of_the_caller():
    with np.errstate(over="ignore"):
        overflown = for_each(lambda x: np.float32(x) * np.float32(1e30), [1e30] * 4, n_threads=2)
    assert np.isinf(overflown).all()
