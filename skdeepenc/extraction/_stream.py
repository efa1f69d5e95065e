"""Decode images in threads while the network runs, and hand it batches of equal size.

Three things happen at once: worker threads decode and cut the images ahead, one thread stacks what
is ready into the network's input, and the caller's thread runs the network. Queues between them are
short, so memory is bounded by the batch, not by the number of images.
"""

import math
from collections import defaultdict, deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from skdeepenc.images.sizes import both_sides

# Pieces of a block wait decoded until every one of their size is there: 64 MiB of bytes.
BLOCK_BYTES = 1 << 26
# The images of a block are decoded while the network runs the block before, so blocks of pyramids
# must not be much longer than the network's batches.
BATCHES_IN_BLOCK = 4
# A block with few images to run, among many that a cache holds, ends after so many in all.
MOST_BATCHES_FOUND = 8
_QUEUED_BATCHES = 2


@dataclass
class Job:
    """One image on its way; what became of it is in one of the optional fields.

    Attributes
    ----------
    position : int
        Which image of the call it is.
    digest : str or None
        Digest of its content, where a cache wants one.
    plan : Plan or None
        What was cut out of it.
    stacks : list of array of shape (n_pieces, height, width, 3) or None
        What the network is to see, one stack per scale.
    failure : str or None
        Why it cannot be read.
    grids : array of shape (n_layers, n_scales, 2) or None
        The grids of its maps, where the cache holds them already.
    """

    position: int
    digest: str | None = None
    plan: Any = None
    stacks: Any = None
    failure: str | None = None
    grids: np.ndarray | None = None

    @property
    def is_settled(self):
        """Whether nothing more is to be done, as there is for what other workers have claimed."""
        return not (self.stacks is None and self.failure is None and self.grids is None)


class Piece(NamedTuple):
    """One input of the network: which job's, of which scale, and which piece of it."""

    job: Job
    scale: int
    number: int

    @property
    def pixels(self):
        """The piece as an array of shape (height, width, 3), uint8."""
        return self.job.stacks[self.scale][self.number]


@dataclass
class Batch:
    """What the network runs at once, and the jobs that are complete after it.

    Attributes
    ----------
    tensor : array of shape (n, 3, height, width) or None
        The input; None where there is nothing left to run.
    pieces : list of Piece
        Where each row of it comes from.
    finished : list of Job
        Jobs that wait for nothing more.
    """

    tensor: np.ndarray | None = None
    pieces: list[Piece] = field(default_factory=list)
    finished: list[Job] = field(default_factory=list)


def queued_batches(recipe, prepare, sources, *, batch_size, n_decoders):
    """Yield the network's batches of images that threads decode ahead.

    Parameters
    ----------
    recipe : Recipe
        How images are cut.
    prepare : callable
        Makes a `Job` of a position and a source, in a thread.
    sources : iterable of (int, object)
        Positions and sources.
    batch_size : int
        Images of the network's usual input in a batch.
    n_decoders : int
        Threads that decode.

    Yields
    ------
    Batch
        Jobs finish in the order of the sources.
    """
    jobs = prepared(prepare, sources, n_decoders, ahead=2 * n_decoders)
    stacked = _stacked_blocks(jobs, recipe, batch_size)
    yield from prefetched(stacked, _QUEUED_BATCHES)


def _stacked_blocks(jobs, recipe, batch_size):
    sizes = batch_size, recipe.input_size
    for block in prefetched(blocks(jobs, *sizes), 1):
        yield from batches(block, recipe.preprocessing, *sizes)


def prepared(prepare, sources, n_threads, ahead):
    """Yield ``prepare(position, source)`` in order, computed in threads at most `ahead` early."""
    with ThreadPoolExecutor(n_threads, thread_name_prefix="decode") as threads:
        waiting: deque[Future[Any]] = deque()
        try:
            for position, source in sources:
                waiting.append(threads.submit(prepare, position, source))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def blocks(jobs, batch_size, input_size):
    """Yield lists of consecutive jobs, small enough that the network need not wait for them.

    A block has `batch_size` images to run, or the pixels of some batches, or so many bytes. Images
    that are done already, found in a cache, do not wait for long for others that are not.
    """
    most_pixels = BATCHES_IN_BLOCK * batch_size * math.prod(both_sides(input_size))
    most_bytes = min(3 * most_pixels, BLOCK_BYTES)
    block: list[Job] = []
    n_images = n_bytes = 0
    for job in jobs:
        if block and n_images == 0 and job.stacks is not None:
            yield block  # what is done already says nothing about the time that images take
            block = []
        block.append(job)
        if job.stacks is not None:
            n_images += 1
            n_bytes += sum(stack.nbytes for stack in job.stacks)
        longest = batch_size if n_images == 0 else MOST_BATCHES_FOUND * batch_size
        if n_images >= batch_size or n_bytes >= most_bytes or len(block) >= longest:
            yield block
            block, n_images, n_bytes = [], 0, 0
    if block:
        yield block


def batches(block, preprocessing, batch_size, input_size):
    """Yield a block's pieces as batches of one size each; the last finishes the block's jobs.

    A batch holds as many pixels as `batch_size` images of the network's usual input, so that
    larger pieces come in smaller batches.
    """
    by_size: dict[tuple[int, int], list[Piece]] = defaultdict(list)
    for job in block:
        for scale, stack in enumerate(job.stacks or ()):
            by_size[stack.shape[1:3]].extend(
                Piece(job, scale, number) for number in range(len(stack))
            )
    batch = Batch()
    for (height, width), pieces in by_size.items():
        room = batch_size * math.prod(both_sides(input_size)) // (height * width)
        step = min(max(room, 1), batch_size)
        for start in range(0, len(pieces), step):
            if batch.tensor is not None:
                yield batch
            batch = _stacked(pieces[start : start + step], preprocessing)
    batch.finished = block
    yield batch


def _stacked(pieces, preprocessing):
    """Stack pieces of one size into the network's input."""
    height, width, _ = pieces[0].pixels.shape
    tensor = np.empty((len(pieces), 3, height, width), dtype=np.float32)
    for row, piece in enumerate(pieces):
        preprocessing.to_tensor(piece.pixels[None], out=tensor[row : row + 1])
    return Batch(tensor, pieces)


def prefetched(items, depth):
    """Yield what a generator yields, computed in a thread of its own at most `depth` early."""
    done = object()
    with ThreadPoolExecutor(1, thread_name_prefix="stack") as thread:
        ahead = deque(thread.submit(next, items, done) for _ in range(depth))
        try:
            while (item := ahead.popleft().result()) is not done:
                ahead.append(thread.submit(next, items, done))
                yield item
        finally:
            for future in ahead:
                future.cancel()
            thread.submit(items.close).result()
