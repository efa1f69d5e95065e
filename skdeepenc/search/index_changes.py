"""What changes an index as a whole, under its lock: images that come, and images that go."""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

from skdeepenc._progress import progress_bar
from skdeepenc.exceptions import StorageError
from skdeepenc.search.image_pass import UpdateSummary, numbered_behind, run_pass
from skdeepenc.search.images import EncodedImage
from skdeepenc.search.index_writer import IndexWriter, locked
from skdeepenc.search.listing import list_images
from skdeepenc.search.questions import IMAGES_A_PART

__all__ = ["bring_in", "take_out"]


def bring_in(
    folder: Path,
    encoder: Any,
    images: Any,
    *,
    is_whole: bool,
    reread: bool = False,
    verbose: int = 0,
) -> UpdateSummary:
    """Encode the images that an index does not know.

    Parameters
    ----------
    folder : Path
        The index.
    encoder : ImageEncoder
        What turns images into vectors.
    images : object
        What `encode` takes.
    is_whole : bool
        Whether these are all images that the index is to have.
    reread : bool, default=False
        Whether to read images whose files seem unchanged.
    verbose : int, default=0
        Show a progress bar; above 1 it stays when done.

    Returns
    -------
    UpdateSummary
        What was done.
    """
    listing = list_images(images, IMAGES_A_PART)
    with locked(folder):
        writer = IndexWriter(folder)
        found: Iterable[EncodedImage] = chain.from_iterable(listing.parts)
        if not is_whole:
            found = numbered_behind(found, writer.snapshot)
        total = listing.n_images()
        with progress_bar(
            verbose=verbose, total=total, description="Encoding", unit="image"
        ) as bar:
            return run_pass(writer, encoder, found, bar=bar, is_whole=is_whole, reread=reread)


def take_out(folder: Path, names: list[str]) -> None:
    """Remove images of an index, all of them or none.

    Parameters
    ----------
    folder : Path
        The index.
    names : list of str
        Names of images.

    Raises
    ------
    StorageError
        If there is no image of such a name.
    """
    with locked(folder):
        writer = IndexWriter(folder)
        known = writer.snapshot.rows_by_name
        unknown = [name for name in names if name not in known]
        if unknown:
            raise StorageError(
                f"The index has no image {unknown[0]!r} ({len(unknown)} of {len(names)} names "
                "are unknown); index.images lists them."
            )
        writer.remove(known[name] for name in names)
        writer.commit()
        writer.compact()
