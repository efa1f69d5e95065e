"""Maps of ever so many images, a block at a time, for those who keep vectors alone.

The extractor returns the maps of all images at once, or leaves them in files. Here images come from
an iterator, and maps are let go of when the next block is asked for; decoding goes on meanwhile.
"""

from collections import deque
from typing import Any, NamedTuple

from skdeepenc.arrays.threads import count_jobs
from skdeepenc.exceptions import ImageError
from skdeepenc.extraction._assembly import Assembler, Collector
from skdeepenc.extraction._stream import Job, queued_batches

__all__ = ["MapBlock", "map_blocks"]


class MapBlock(NamedTuple):
    """What became of some consecutive images.

    Attributes
    ----------
    images : list
        The images, as they were given.
    failures : list of str or None
        Why each of them could not be read; None where it was.
    maps : FeatureMaps or None
        The maps of those that were read, in order; None where none was.
    """

    images: list[Any]
    failures: list[str | None]
    maps: Any


def map_blocks(extractor, images, *, most_bytes):
    """Yield the maps of images, those of some at once.

    Parameters
    ----------
    extractor : ActivationExtractor
        How images become maps, in how many threads. Its `memory` is not used.
    images : iterable
        Objects with a method `read`, which returns what `load_image` takes, or raises an
        `ImageError`. It is called in threads.
    most_bytes : int
        Size of the maps after which a block ends.

    Yields
    ------
    MapBlock
        In the order of the images.
    """
    recipe = extractor.recipe()
    order: deque[Any] = deque()  # what is under way
    assembler, block = Assembler(recipe), _Block(recipe)
    sizes = {"batch_size": extractor.batch_size, "n_decoders": count_jobs(extractor.n_jobs)}
    for batch in queued_batches(recipe, _cut_by(recipe), _noted(images, order), **sizes):
        if batch.pieces:
            assembler.add(batch.pieces, recipe.run(batch))
        for job in batch.finished:
            image = order.popleft()
            maps = None if job.failure else assembler.take(job, str(image))
            block.add(image, job.failure, maps)
            if block.n_bytes >= most_bytes:
                yield block.finish()
                block = _Block(recipe)
    if block.images:
        yield block.finish()


def _noted(images, order):
    """Number images, and note those that are under way."""
    for position, image in enumerate(images):
        order.append(image)
        yield position, image


def _cut_by(recipe):
    def cut(position, image):
        try:
            plan, stacks = recipe.cut(image.read())
        except ImageError as error:
            return Job(position, failure=str(error))
        return Job(position, plan=plan, stacks=stacks)

    return cut


class _Block:
    """A block that grows."""

    def __init__(self, recipe):
        self.images, self.n_bytes = [], 0
        self._recipe, self._failures, self._maps = recipe, [], []

    def add(self, image, failure, maps):
        self.images.append(image)
        self._failures.append(failure)
        if maps is not None:
            self._maps.append(maps)
            self.n_bytes += sum(values.nbytes for values in maps.values.values())

    def finish(self):
        if not self._maps:
            return MapBlock(self.images, self._failures, None)
        collector = Collector(self._recipe, len(self._maps))
        for position, maps in enumerate(self._maps):
            collector.append(position, maps)
        return MapBlock(self.images, self._failures, collector.finish())
