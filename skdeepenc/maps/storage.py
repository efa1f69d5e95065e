"""Keep feature maps in a folder: plain ``.npy`` files and one JSON file that describes them.

The folder appears whole or not at all, holds a digest of its content, and has nothing pickled in
it. What is loaded from it pickles as a reference (path, digest, images in view), so that worker
processes and joblib's caches are handed some bytes instead of the values.

Another kind of storage, such as the extractor's cache of a file an image, implements `Store` as
`FolderStore` does here: it knows all grids from the start, reads values when asked, and pickles by
reference.
"""

import hashlib
import json
import os
import tempfile
from pathlib import Path

import numpy as np

from skdeepenc.exceptions import FeatureMapsError, StorageError
from skdeepenc.maps.checks import check_columns
from skdeepenc.maps.stores import ArrayStore, Store

__all__ = ["FolderStore", "open_store", "save_maps"]

_DESCRIPTION = "maps.json"
_FORMAT = "skdeepenc feature maps, version 1"


def save_maps(maps, folder):
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
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        draft = Path(scratch) / "maps"
        draft.mkdir()
        _write(maps, draft)
        if folder.exists():
            folder.rmdir()
        os.replace(draft, folder)


def open_store(folder, mmap_mode="r", digest=None):
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
        If the folder is no saved maps, is not whole, or has another digest.
    """
    if mmap_mode not in ("r", "c", None):
        raise StorageError(f"mmap_mode={mmap_mode!r} is not 'r', 'c' or None.")
    folder = Path(folder).absolute()
    description = _read_description(folder)
    if digest is not None and description["digest"] != digest:
        raise StorageError(
            f"The maps in {folder} changed since they were pickled or sent to another process."
        )
    layers = description["layers"]
    values = {name: _load(folder / _file(i), mmap_mode or "c") for i, name in enumerate(layers)}
    grids = {name: _load(folder / _file(i, "grid")) for i, name in enumerate(layers)}
    try:
        check_columns(values, grids)
    except FeatureMapsError as error:
        raise StorageError(f"The maps in {folder} are not whole: {error}") from error
    if mmap_mode is None:
        return ArrayStore({name: np.array(column) for name, column in values.items()}, grids)
    return FolderStore(folder, mmap_mode, description["digest"], values, grids)


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
    """

    in_memory = False

    def __init__(self, folder, mmap_mode, digest, values, grids):
        super().__init__(values, grids)
        self._reference = (folder, mmap_mode, digest)
        # A mapping that stays open keeps every page that was ever read in the process's memory.
        self._openings = {
            layer: {
                "filename": column.filename,
                "dtype": column.dtype,
                "mode": mmap_mode,
                "offset": column.offset,
                "shape": column.shape,
            }
            for layer, column in values.items()
        }
        del self.array

    def read(self, layer, images, scales):
        """Map the file of the layer for as long as the caller keeps the rows."""
        return np.asarray(self._take(np.memmap(**self._openings[layer]), layer, images, scales))

    def pickled(self, layers, images, scales):
        """Stay as it is: the values are in files."""
        return Store.pickled(self, layers, images, scales)

    def __reduce__(self):
        return open_store, self._reference


def _file(index, kind="values"):
    return f"layer_{index}_{kind}.npy"


def _write(maps, folder):
    digest = hashlib.sha256()
    for index, layer in enumerate(maps.layers):
        column = maps.select(layers=[layer])
        grid = column.grid(layer)
        np.save(folder / _file(index, "grid"), grid)
        shape = (int(column.offsets(layer)[-1]), column.n_channels(layer))
        digest.update(f"{layer} {column.dtype.str} {shape} {grid.shape}".encode())
        digest.update(np.ascontiguousarray(grid).data)
        with open(folder / _file(index), "wb") as file:
            header = {"descr": column.dtype.str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for batch in column.iter_batches():
                rows = np.ascontiguousarray(batch.values(layer), dtype=column.dtype)
                file.write(rows.data)
                digest.update(rows.data)
    description = {"format": _FORMAT, "layers": list(maps.layers), "digest": digest.hexdigest()}
    (folder / _DESCRIPTION).write_text(json.dumps(description, indent=1), encoding="utf-8")


def _read_description(folder):
    try:
        description = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StorageError(
            f"{folder} holds no saved feature maps: its {_DESCRIPTION} cannot be read ({error})."
        ) from error
    match description:
        case {"format": form, "layers": [str(), *_], "digest": str()} if form == _FORMAT:
            return description
    raise StorageError(f"{folder / _DESCRIPTION} does not describe {_FORMAT!r}.")


def _load(path, mmap_mode=None):
    try:
        return np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except Exception as error:  # a damaged header fails in whatever reads Python literals
        raise StorageError(f"{path} is not whole: {error}.") from error
