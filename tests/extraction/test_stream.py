import threading
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skdeepenc.extraction import _stream
from skdeepenc.extraction._stream import Job, batches, blocks, prefetched, prepared
from skdeepenc.images import Preprocessing

PLAIN = Preprocessing(mean=(0, 0, 0), std=(1, 1, 1), scale=1)


def job_of(position, *sizes, n_pieces=1):
    """A job whose pixels tell its position."""
    stacks = [np.full((n_pieces, *size, 3), position, dtype=np.uint8) for size in sizes]
    return Job(position, stacks=stacks)


def test_images_are_prepared_in_order_whatever_they_take():
    def slow_at_first(position, source):
        time.sleep(0.02 if position == 0 else 0)
        return position, source

    sources = list(enumerate("abcdef"))
    assert list(prepared(slow_at_first, sources, n_threads=3, ahead=4)) == sources


@pytest.mark.parametrize("ahead", [0, 2])
def test_no_more_is_prepared_than_asked_for(ahead):
    started = []
    results = prepared(lambda n, _: started.append(n), ((n, n) for n in range(50)), 1, ahead)
    next(results)
    time.sleep(0.05)
    assert len(started) <= ahead + 1
    results.close()


def test_an_error_in_a_thread_reaches_the_caller():
    def fails(position, source):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(prepared(fails, [(0, 0)], 2, 2))
    with pytest.raises(ZeroDivisionError):
        list(prefetched((1 / n for n in (2, 1, 0, 1)), 2))


def test_prefetching_changes_nothing_but_the_thread():
    threads = []

    def items():
        for n in range(20):
            threads.append(threading.current_thread())
            yield n

    assert list(prefetched(items(), 3)) == list(range(20))
    assert threading.current_thread() not in threads
    assert len(set(threads)) == 1


def test_leaving_early_stops_the_work():
    closed = []

    def endless():
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    items = prefetched(endless(), 2)
    next(items)
    items.close()
    assert closed == [True]


def test_blocks_hold_so_many_images_to_run():
    jobs = [Job(0, failure="bad"), job_of(1, (4, 4)), job_of(2, (4, 4)), job_of(3, (4, 4))]
    assert [[job.position for job in block] for block in blocks(jobs, 2, 4)] == [[0], [1, 2], [3]]


def test_blocks_hold_the_pixels_of_four_batches():
    """Eight images of the usual size are the pixels of two that are twice as long and wide."""
    jobs = [job_of(position, (8, 8)) for position in range(5)]
    assert [len(block) for block in blocks(jobs, 2, 4)] == [2, 2, 1]


def test_blocks_hold_so_many_bytes(monkeypatch):
    monkeypatch.setattr(_stream, "BLOCK_BYTES", 100)
    jobs = [job_of(position, (4, 4)) for position in range(5)]
    assert [len(block) for block in blocks(jobs, 32, 4)] == [3, 2]


def test_batches_hold_pieces_of_one_size_and_so_many_pixels():
    block = [job_of(position, (8, 8), (16, 16)) for position in range(5)]
    shapes = [batch.tensor.shape for batch in batches(block, PLAIN, batch_size=4, input_size=8)]
    assert shapes == [(4, 3, 8, 8), (1, 3, 8, 8), *[(1, 3, 16, 16)] * 5]


def test_every_piece_is_in_one_batch_beside_its_pixels():
    block = [job_of(0, (8, 8), n_pieces=3), job_of(1, (8, 6)), job_of(2, (8, 8))]
    seen = []
    for batch in batches(block, PLAIN, batch_size=2, input_size=8):
        for row, piece in zip(batch.tensor, batch.pieces, strict=True):
            assert_allclose(row, piece.job.position)
            seen.append((piece.job.position, piece.scale, piece.number))
    assert sorted(seen) == [(0, 0, 0), (0, 0, 1), (0, 0, 2), (1, 0, 0), (2, 0, 0)]


def test_the_last_batch_finishes_the_jobs_of_the_block():
    block = [job_of(0, (8, 8)), Job(1, failure="bad"), job_of(2, (4, 4))]
    finished = [batch.finished for batch in batches(block, PLAIN, 32, 8)]
    assert finished == [[], block]


def test_a_block_with_nothing_to_run_is_finished_all_the_same():
    (batch,) = batches([Job(0, failure="bad")], PLAIN, 32, 8)
    assert batch.tensor is None
    assert len(batch.finished) == 1


def test_images_that_are_done_do_not_wait_for_others():
    done = [Job(n, grids=np.ones((1, 1, 2), int)) for n in range(100)]
    assert [len(block) for block in blocks(done, 4, 8)] == [4] * 25
    assert [len(block) for block in blocks([job_of(0, (4, 4)), *done], 4, 8)][:2] == [32, 4]
