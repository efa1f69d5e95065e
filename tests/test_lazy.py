"""Properties that are computed once, also in a child that was forked in the middle of it."""

import multiprocessing
import os
import pickle
import threading

import pytest

from skdeepenc._lazy import lazy_property


class Slow:
    def __init__(self):
        self.computing, self.go_on = threading.Event(), threading.Event()

    @lazy_property
    def answer(self):
        """What takes a while."""
        self.computing.set()
        self.go_on.wait(60)
        return 42


class Counted:
    n_computed = 0

    @lazy_property
    def answer(self):
        """What is counted."""
        self.n_computed += 1
        return self.n_computed


def test_it_is_computed_once():
    counted = Counted()
    assert [counted.answer, counted.answer, counted.n_computed] == [1, 1, 1]


def test_what_was_found_out_can_travel():
    counted = Counted()
    assert counted.answer == pickle.loads(pickle.dumps(counted)).answer == 1


def test_the_class_shows_what_it_means():
    assert Counted.answer.__doc__ == "What is counted."


def put_answer(slow, queue):
    slow.go_on.set()
    queue.put(slow.answer)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_forked_in_the_middle_computes_its_own():
    slow = Slow()
    thread = threading.Thread(target=lambda: slow.answer)
    thread.start()
    assert slow.computing.wait(60)
    child_of, fresh = multiprocessing.get_context("fork"), Slow()
    queue = child_of.SimpleQueue()
    child = child_of.Process(target=put_answer, args=(fresh, queue))
    child.start()
    child.join(60)
    assert not child.is_alive()
    assert queue.get() == 42
    slow.go_on.set()
    thread.join(60)
