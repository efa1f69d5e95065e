"""Images as the network is to see them, for those who run it elsewhere.

They are decoded and cut in threads, as the extractor does; what goes together are whole images
whose pieces have the same sizes at every scale.
"""

import math
from collections import defaultdict
from typing import Any

import numpy as np

from skdeepenc.exceptions import ImageBatchError, ImageError
from skdeepenc.extraction._stream import prefetched, prepared
from skdeepenc.images.decode import describe_source, read_source
from skdeepenc.images.sizes import both_sides

__all__ = ["piece_batches"]


def piece_batches(recipe, sources, *, batch_size, n_decoders):
    """Yield the pieces of images, those of some images at once.

    Parameters
    ----------
    recipe : Recipe
        How images are cut.
    sources : list
        Images, as `as_sources` returns them.
    batch_size : int
        How many images of the network's input size go together; fewer of larger ones.
    n_decoders : int
        Threads that decode.

    Yields
    ------
    positions : list of int
        Which images.
    stacks : list of array of shape (n_images * n_pieces, height, width, 3), uint8
        Their pieces, image by image, one array a scale.

    Raises
    ------
    ImageBatchError
        At the end, if images could not be read.
    """
    failures: dict[str, str] = {}
    yield from prefetched(_joined(recipe, sources, batch_size, n_decoders, failures), 1)
    if failures:
        raise ImageBatchError(failures)


def _joined(recipe, sources, batch_size, n_decoders, failures):
    """Yield batches as soon as they are full, and what is left in the end."""
    most_pixels = batch_size * math.prod(both_sides(recipe.input_size))
    waiting: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    jobs = prepared(_cut_by(recipe), enumerate(sources), n_decoders, ahead=2 * n_decoders)
    for position, stacks in enumerate(jobs):
        if isinstance(stacks, ImageError):
            failures[describe_source(sources[position], position)] = str(stacks)
            continue
        shapes = tuple(stack.shape for stack in stacks)
        waiting[shapes].append((position, stacks))
        n_pixels = sum(math.prod(shape[:3]) for shape in shapes)
        if (len(waiting[shapes]) + 1) * n_pixels > most_pixels:
            yield _batch(waiting.pop(shapes))
        elif sum(map(len, waiting.values())) > 2 * batch_size:
            # Images of ever new sizes do not wait for their like.
            yield _batch(waiting.pop(next(iter(waiting))))
    yield from map(_batch, waiting.values())


def _cut_by(recipe):
    def cut(position, source):
        try:
            return recipe.cut(read_source(source))[1]
        except ImageError as error:
            return error

    return cut


def _batch(images):
    positions, stacks = zip(*images, strict=True)
    return list(positions), [np.concatenate(scale) for scale in zip(*stacks, strict=True)]
