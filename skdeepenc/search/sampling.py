"""Draw the images that an encoder learns from: some thousands, out of however many there are."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from sklearn.utils import check_random_state

from skdeepenc.exceptions import ImageError
from skdeepenc.search.listing import parts_of, sources_of
from skdeepenc.search.storage import is_url

__all__ = ["sampled_images"]


@contextmanager
def sampled_images(images: Any, most: int, random_state: Any = None) -> Iterator[list[Any]]:
    """Yield a sample of images as the extractor takes them.

    Files are drawn one by one, archives as a whole, in random order until there are enough. What
    is not a file of this machine is copied into a folder that lasts as long as the context.

    Parameters
    ----------
    images : object
        What `encode` takes.
    most : int
        How many images there are at most.
    random_state : int, RandomState or None, default=None
        Draws them.

    Yields
    ------
    list of path, bytes, PIL.Image.Image or array
        The images, in the order of the list where they are files.

    Raises
    ------
    DataSetError
        If there are no images.
    """
    sources = sources_of(images)
    order = check_random_state(random_state).permutation(len(sources))
    if len(sources) > most:
        order = sorted(order[:most])
    drawn = (image for number in order for part in parts_of(sources[number]) for image in part)
    with tempfile.TemporaryDirectory(prefix="skdeepenc-") as folder:
        yield [_as_file(image, folder, n) for n, image in enumerate(islice(drawn, most))]


def _as_file(image, folder, number):
    """Return a source that the extractor can read."""
    source = image.source
    if isinstance(source, str | os.PathLike) and not is_url(source):
        return source
    if not isinstance(source, bytes | str | os.PathLike):
        return source  # pixels are in memory already
    copy = Path(folder, f"{number}{Path(image.name).suffix}")
    try:
        copy.write_bytes(image.read())
    except ImageError:
        copy.touch()  # what cannot be read is for the extractor to name
    return copy
