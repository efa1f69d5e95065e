"""What an index consists of: one small file that names all others.

::

    index.json              versions, the encoder's digest, and the names of the files below
    encoder.skops           what turns images into vectors, or encoder.onnx
    vectors-00000007.npy    (n_rows, n_features), unit length; one pair of files per segment
    images-00000007.parquet image, digest, width, height, stamp; row for row the same images
    removed-00000009.npy    rows of a segment that do not count any more
    failures-00000009.csv   image, error: those that could not be read
    neighbors-00000009.faiss    above a million images: where to look first

Files are never changed, only written and given up; the number in a name is the generation that
wrote it. So whoever has read one manifest sees one state of the index, whatever comes later.
"""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from skdeepenc._version import __version__
from skdeepenc.arrays.files import read_description, write_description
from skdeepenc.exceptions import StorageError

__all__ = ["MANIFEST", "Manifest", "Neighbors", "Segment", "is_ours", "read_manifest"]

#: Raised when the files change so that older versions cannot read them.
FORMAT = 1
MANIFEST = "index.json"
_NAMES = re.compile(
    r"encoder\.(skops|onnx)"
    r"|(vectors|removed)-\d{8}(-\d+)?\.npy"
    r"|images-\d{8}(-\d+)?\.parquet"
    r"|failures-\d{8}\.csv"
    r"|neighbors-\d{8}\.faiss"
)


@dataclass(frozen=True)
class Segment:
    """Some rows of an index: two files, and a third where rows were removed.

    Attributes
    ----------
    vectors, images : str
        Names of the files.
    n_rows : int
        Rows of both.
    removed : str or None
        Name of the file that lists removed rows.
    n_removed : int
        How many these are.
    """

    vectors: str
    images: str
    n_rows: int
    removed: str | None = None
    n_removed: int = 0

    @property
    def names(self):
        """The names of its files."""
        return {self.vectors, self.images, *([self.removed] if self.removed else [])}


@dataclass(frozen=True)
class Neighbors:
    """An approximate index over the first rows of an index.

    Attributes
    ----------
    file : str
        Name of the file.
    digest : str
        SHA-256 of its content.
    n_rows : int
        How many rows it knows, from the first on.
    n_candidates : int
        How many rows to ask it for; they are compared exactly.
    recall : float
        The measured share of the exact answer that is found so.
    """

    file: str
    digest: str
    n_rows: int
    n_candidates: int
    recall: float


@dataclass(frozen=True)
class Manifest:
    """One state of an index.

    Attributes
    ----------
    encoder : str
        Name of the encoder's file.
    encoder_digest : str
        What `search.open_encoder` says that this encoder is.
    n_features : int
        Length of a vector; 0 before there is one.
    generation : int
        How many states there were before.
    segments : tuple of Segment
        The rows, in order.
    failures : str or None
        Name of the file that lists images that could not be read.
    n_failures : int
        How many these are.
    neighbors : Neighbors or None
        The approximate index.
    version : str
        The skdeepenc that wrote it.
    """

    encoder: str
    encoder_digest: str
    n_features: int = 0
    generation: int = 0
    segments: tuple[Segment, ...] = ()
    failures: str | None = None
    n_failures: int = 0
    neighbors: Neighbors | None = None
    version: str = __version__

    @property
    def names(self):
        """The names of all files of this state, but the manifest's."""
        others = [self.encoder, self.failures, self.neighbors and self.neighbors.file]
        return set().union(*(each.names for each in self.segments)) | {*filter(None, others)}

    def write(self, path: Path) -> None:
        """Write it, with a digest of itself."""
        content = {"format": FORMAT, "what": "skdeepenc index", **asdict(self)}
        write_description(path, {**content, "version": __version__})


def is_ours(name):
    """Tell whether an index may have a file of this name; none is outside its folder."""
    return isinstance(name, str) and _NAMES.fullmatch(name) is not None


def read_manifest(folder: Path) -> Manifest:
    """Read what an index consists of.

    Parameters
    ----------
    folder : Path
        The index.

    Returns
    -------
    Manifest
        Its present state.

    Raises
    ------
    StorageError
        If there is no index, it is damaged, or a newer version wrote it.
    """
    path = folder / MANIFEST
    try:
        content, _ = read_description(path)
    except FileNotFoundError:
        raise StorageError(
            f"{folder} is not an index: it has no {MANIFEST}. Make one with ImageIndex.build."
        ) from None
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} is damaged: {error}") from error
    if content.pop("what", None) != "skdeepenc index":
        raise StorageError(f"{path} does not describe an index of skdeepenc.")
    _check_format(content.pop("format", None), content, path)
    try:
        manifest = _manifest_of(content)
    except (TypeError, ValueError) as error:
        raise StorageError(f"{path} is damaged: {error}") from error
    strange = sorted(str(name) for name in manifest.names if not is_ours(name))
    if strange:
        raise StorageError(f"{path} names {strange[0]!r}, which no index has: do not trust it.")
    return manifest


def _check_format(written, content, path):
    if not isinstance(written, int) or written > FORMAT:
        raise StorageError(
            f"{path} was written by skdeepenc {content.get('version')}, in a way that "
            f"{__version__} does not know. Upgrade skdeepenc to open it."
        )


def _manifest_of(content: dict[str, Any]) -> Manifest:
    segments = tuple(Segment(**segment) for segment in content.pop("segments"))
    neighbors = content.pop("neighbors")
    return Manifest(
        **content, segments=segments, neighbors=Neighbors(**neighbors) if neighbors else None
    )
