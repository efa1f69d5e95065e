"""Progress bars move, and what they say of the time that is left holds; by a clock of our own."""

import gc
import io
import threading

import numpy as np
import pytest

from skdeepenc import _progress
from skdeepenc._progress import ProgressBar, progress_bar

DECODING, RUNNING, OPENING = 3.0, 2.0, 50.0  # seconds for a block; to open a session


class Clock:
    """Seconds that pass when told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def bar(clock):
    with ProgressBar(total=200, clock=clock, file=io.StringIO()) as bar:
        yield bar


def seconds_left(bar):
    return (bar.total - bar.n) / bar.format_dict["rate"]


@pytest.mark.parametrize(("decoding", "running"), [(3, 2), (2, 3), (3, 0.01), (0.01, 3), (1, 1)])
def test_the_time_left_is_right_from_the_first_block_on(bar, clock, decoding, running):
    """The first block is decoded and then run, later ones are decoded while others run."""
    clock.wait(decoding)
    with bar.pace.starting():
        clock.wait(OPENING)
    clock.wait(running)
    for _ in range(20):
        bar.update(10)
        left = (bar.total - bar.n) / 10 * max(decoding, running)
        assert seconds_left(bar) == pytest.approx(left)
        clock.wait(max(decoding, running))


def test_what_a_cache_held_is_done_and_no_work(bar, clock):
    for _ in range(100):
        clock.wait(0.01)
        bar.found()
    assert bar.n == bar.initial == 100
    assert bar.format_dict["rate"] == 0  # nobody knows yet: the bar shows a question mark
    clock.wait(DECODING)
    with bar.pace.starting():
        clock.wait(OPENING)
    clock.wait(RUNNING)
    bar.update(10)
    assert seconds_left(bar) == pytest.approx(9 * DECODING)


def test_a_bar_without_a_beginning_counts_from_when_it_was_made(bar, clock):
    clock.wait(4)
    bar.update(50)
    assert seconds_left(bar) == pytest.approx(12)
    assert "<00:12" in str(bar)


def test_the_rate_is_kept_while_a_burst_is_prepared(bar, clock):
    clock.wait(1)
    bar.update(100)
    clock.wait(100)
    bar.update(0)
    assert seconds_left(bar) == pytest.approx(1)


def test_a_bar_moves_though_nothing_is_done(monkeypatch):
    monkeypatch.setattr(_progress, "_BEAT_SECONDS", 0.001)
    moved = threading.Event()

    class Screen(io.StringIO):
        n_written = 0

        def write(self, text):
            self.n_written += "0/5" in text
            if self.n_written > 3:
                moved.set()
            return super().write(text)

    with ProgressBar(total=5, file=Screen()):
        assert moved.wait(timeout=30)


def test_a_bar_that_is_forgotten_leaves_no_thread():
    before = threading.active_count()
    for _ in range(3):
        progress_bar(np.arange(3), verbose=1)
    gc.collect()
    for thread in threading.enumerate():
        if thread.daemon and thread._target is _progress._beat:
            thread.join(timeout=30)
    assert threading.active_count() <= before


def test_a_silent_bar_does_all_but_show(capsys):
    with progress_bar(verbose=0, total=3) as bar:
        bar.found()
        with bar.pace.starting():
            pass
        bar.update()
    assert list(progress_bar(range(3), verbose=0)) == [0, 1, 2]
    assert not capsys.readouterr().err
