"""Threads: in order, errors come through, and BLAS gets back what it had."""

from threading import Event, Thread

import pytest
from threadpoolctl import threadpool_limits

from skdeepenc.functional.threads import _blas, one_blas_thread, thread_map


def blas_threads():
    """Threads of the libraries that were there first: faiss, say, loads another one later."""
    return [library["num_threads"] for library in _blas().info()]


def test_results_come_in_order():
    with thread_map() as run:
        assert list(run(lambda number: number**2, range(50))) == [n**2 for n in range(50)]


def test_blas_has_one_thread_inside_and_its_own_number_after():
    before = blas_threads()
    with thread_map() as run:
        assert set(run(lambda _: tuple(blas_threads()), range(4))) == {(1,) * len(before)}
    assert blas_threads() == before


def test_limit_of_the_caller_is_kept():
    with threadpool_limits(1), thread_map() as run:
        assert run is map


def fail(number):
    raise KeyError(number)


def test_errors_come_through_and_restore_blas():
    before = blas_threads()
    with pytest.raises(KeyError), thread_map() as run:
        list(run(fail, range(3)))
    assert blas_threads() == before


def test_overlapping_users_restore_blas():
    """The second enters while BLAS is held and leaves last: it must not put back what it saw."""
    before = blas_threads()
    entered, leave, inside = Event(), Event(), []

    def second_user():
        with thread_map() as run:
            inside.append(run)
            entered.set()
            leave.wait(10)

    thread = Thread(target=second_user)
    with thread_map():
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
