"""Keep feature maps in a folder: plain ``.npy`` files and one JSON file that describes them.

The folder appears whole or not at all, and has nothing pickled in it. Whenever it is opened, sizes,
types, names and grids are compared with what was saved; values are, when all of a layer is first
read. What is loaded from it pickles as a reference (path, digest, images in view), so that worker
processes and joblib's caches are handed some bytes instead of the values.

Another kind of storage, such as the extractor's cache of a file per image, implements `Store` as
`FolderStore` does here: it knows all grids from the start, reads values when asked, and pickles by
reference.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from skdeepenc._aside import written_aside
from skdeepenc._typing import Floats, Integers, PathLike
from skdeepenc.arrays.files import open_array, read_description, write_array, write_description
from skdeepenc.exceptions import FeatureMapsError, StorageError
from skdeepenc.maps.checks import check_columns
from skdeepenc.maps.stores import ArrayStore, Store

if TYPE_CHECKING:
    from skdeepenc.maps.feature_maps import FeatureMaps

__all__ = ["FolderStore", "open_store", "save_maps"]

_DESCRIPTION = "maps.json"
_FORMAT = "skdeepenc feature maps, version 2"
# Files whose values this process has compared; maps travel to workers with every task.
_CHECKED: set[tuple[Any, ...]] = set()


def save_maps(maps: "FeatureMaps", folder: PathLike) -> None:
    """Write feature maps into a new folder.

    Parameters
    ----------
    maps : FeatureMaps
        The maps; those that are not in memory are written batch by batch.
    folder : path-like
        A folder that is empty or does not exist.

    Raises
    ------
    StorageError
        If the folder has something in it.
    """
    folder = Path(folder).absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StorageError(f"{folder} is not empty: remove it, or save the maps elsewhere.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(folder) as scratch:
        draft = scratch / folder.name
        draft.mkdir()
        _write(maps, draft)
        if folder.exists():
            folder.rmdir()


def open_store(
    folder: PathLike, mmap_mode: Literal["r", "c"] | None = "r", digest: str | None = None
) -> Store:
    """Return the store of a folder that `save_maps` wrote.

    Parameters
    ----------
    folder : path-like
        The folder.
    mmap_mode : {"r", "c"} or None, default="r"
        How to map the files, see `numpy.memmap`; None reads them into memory.
    digest : str or None, default=None
        Digest that the content must have, None for any.

    Returns
    -------
    Store
        A `FolderStore`, or an `ArrayStore` where `mmap_mode` is None.

    Raises
    ------
    StorageError
        If the folder does not hold saved maps, is not whole, or has another digest.
    """
    if mmap_mode not in ("r", "c", None):
        raise StorageError(f"mmap_mode={mmap_mode!r} is not 'r', 'c' or None.")
    folder = Path(folder).absolute()
    contents, found = _read_contents(folder)
    if digest not in (None, found):
        raise StorageError(
            f"The maps in {folder} changed since they were pickled or sent to another process."
        )
    values, grids = {}, {}
    for index, layer in enumerate(contents):
        values[layer] = _open(folder / _file(index), mmap_mode or "c")
        grids[layer] = np.array(_open(folder / _file(index, "grid"), "r"))
    try:
        check_columns(values, grids)
    except FeatureMapsError as error:
        raise StorageError(f"The maps in {folder} are not whole: {error}") from error
    for layer, content in contents.items():
        found_content = _summary(values[layer].dtype, values[layer].shape, grids[layer])
        if found_content | {"values": content["values"]} != content:
            raise StorageError(f"The maps of {layer!r} in {folder} are not those that were saved.")
    store = FolderStore(folder, mmap_mode or "c", found, values, grids, contents)
    return store if mmap_mode is not None else store.to_memory()


class FolderStore(ArrayStore):
    """Values in the files of a folder, mapped while they are in use.

    Parameters
    ----------
    folder : Path
        Where the files are.
    mmap_mode : {"r", "c"}
        How to map them.
    digest : str
        Digest of the content.
    values, grids : dict of str to ndarray
        The files, open.
    contents : dict of str to dict
        What was saved of each layer.
    """

    in_memory = False

    def __init__(
        self,
        folder: Path,
        mmap_mode: Literal["r", "c"],
        digest: str,
        values: dict[str, NDArray[Any]],
        grids: dict[str, Integers],
        contents: dict[str, dict[str, Any]],
    ) -> None:
        super().__init__(values, grids)
        self._reference = (folder, mmap_mode, digest)
        # A mapping that stays open keeps every page that was ever read in the process's memory.
        self._files = {layer: folder / _file(index) for index, layer in enumerate(values)}
        self._stamps = {layer: _stamp(file) for layer, file in self._files.items()}
        self._contents = contents
        del self.array

    def read(self, layer: str, images: Integers, scales: Integers) -> Floats:
        """Map the file of the layer for as long as the caller keeps the rows."""
        column = self._opened(layer)
        n_images, n_scales, _ = self.grids[layer].shape
        whole = np.array_equal(images, np.arange(n_images)) and len(scales) == n_scales
        if whole and (self._stamps[layer], self._contents[layer]["values"]) not in _CHECKED:
            self._check(layer, column)
        return np.asarray(self._take(column, layer, images, scales))

    def to_memory(self) -> ArrayStore:
        """Return a store of the same values in memory, compared with what was saved."""
        values = {}
        for layer in self.layers:
            values[layer] = np.array(self._opened(layer))
            self._check(layer, values[layer])
        return ArrayStore(values, self.grids)

    def _opened(self, layer: str) -> NDArray[Any]:
        """Map the file of a layer, if it is still the one that was there at first."""
        path = self._files[layer]
        column = _open(path, self._reference[1])
        if _stamp(path) != self._stamps[layer]:
            raise StorageError(f"{path} changed since the maps were opened: load them again.")
        return column

    def _check(self, layer: str, column: NDArray[Any]) -> None:
        """Compare all values of a layer with the digest that was saved."""
        if hashlib.sha256(column.data).hexdigest() != self._contents[layer]["values"]:
            raise StorageError(
                f"{self._files[layer]} does not hold the values that were saved: it is damaged."
            )
        _CHECKED.add((self._stamps[layer], self._contents[layer]["values"]))

    def pickled(
        self, layers: Sequence[str], images: Integers, scales: Integers
    ) -> tuple[Store, Sequence[str], Integers, Integers]:
        """Stay as it is: the values are in files."""
        return Store.pickled(self, layers, images, scales)

    def __reduce__(self) -> tuple[Any, ...]:
        return open_store, self._reference


def _file(index: int, kind: str = "values") -> str:
    return f"layer_{index}_{kind}.npy"


def _write(maps: "FeatureMaps", folder: Path) -> None:
    contents = {}
    for index, layer in enumerate(maps.layers):
        column = maps.select(layers=[layer])
        grid = column.grid(layer)
        write_array(folder / _file(index, "grid"), grid)
        shape = (int(column.offsets(layer)[-1]), column.n_channels(layer))
        digest = hashlib.sha256()
        with open(folder / _file(index), "wb") as file:
            header = {"descr": column.dtype.str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for batch in column.iter_batches():
                rows = np.ascontiguousarray(batch.values(layer), dtype=column.dtype)
                file.write(rows.data)
                digest.update(rows.data)
        contents[layer] = _summary(column.dtype, shape, grid) | {"values": digest.hexdigest()}
    description = {"format": _FORMAT, "layers": list(contents), "contents": [*contents.values()]}
    write_description(folder / _DESCRIPTION, description)


def _summary(dtype: np.dtype[Any], shape: tuple[int, ...], grid: Integers) -> dict[str, Any]:
    """Return what is compared whenever maps are opened."""
    return {
        "dtype": dtype.str,
        "shape": list(shape),
        "grid": hashlib.sha256(np.ascontiguousarray(grid, dtype="<i8").data).hexdigest(),
    }


def _read_contents(folder: Path) -> tuple[dict[str, Any], str]:
    """Return what was saved of each layer, and the digest of it all."""
    path = folder / _DESCRIPTION
    try:
        text = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise StorageError(
            f"{folder} holds no saved feature maps: its {_DESCRIPTION} cannot be read ({error})."
        ) from error
    if not isinstance(text, dict) or text.get("format") != _FORMAT:
        raise StorageError(f"{path} does not describe {_FORMAT!r}.")
    try:
        description, digest = read_description(path)
        return _contents_by_layer(description), digest
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} is not what was saved: {error}.") from error


def _contents_by_layer(description: dict[str, Any]) -> dict[str, Any]:
    """Return what a description says of each layer, or raise a ValueError if it makes no sense."""
    layers, contents = description.get("layers"), description.get("contents")
    if not isinstance(layers, list) or not all(isinstance(layer, str) for layer in layers):
        raise ValueError("its layers are not names")
    if not isinstance(contents, list) or not all(map(_has_digest, contents)):
        raise ValueError("it does not describe layers")
    if len(layers) != len(contents):
        raise ValueError("it does not describe every layer")
    return dict(zip(layers, contents, strict=True))


def _has_digest(content: Any) -> bool:
    return isinstance(content, dict) and isinstance(content.get("values"), str)


def _open(path: Path, mmap_mode: Literal["r", "c"]) -> NDArray[Any]:
    try:
        return open_array(path, mmap_mode)
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} is not whole: {error}.") from error


def _stamp(path: Path) -> tuple[int, int, int, int] | None:
    """Return what changes when a file does, None if it is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
