"""Remember the maps of every image on disk, by its content and by how they were made.

A cache folder holds one folder a recipe, and in it one file an image: a plain uncompressed ``.npz``
named by the digest of the image's content. Files appear whole or not at all (they are written
aside and renamed), and carry sizes and checksums, so a damaged one is found out when it is read.
Nothing is ever changed in place: two processes can write at once, and a killed run goes on where it
stopped.
"""

import json
import os
import time
import uuid
import zipfile
from pathlib import Path

import numpy as np

from skdeepenc.exceptions import StorageError
from skdeepenc.extraction.claims import Claims
from skdeepenc.maps import Store

GRIDS = "grids"
RUNS = "runs.log"
# What a killed run was writing is swept away after this long.
_STALE_SECONDS = 3600.0
# What opening and reading a damaged file raises.
_DAMAGED = (zipfile.BadZipFile, ValueError, KeyError, EOFError, NotImplementedError, OSError)


class Cache:
    """The entries of one recipe.

    Parameters
    ----------
    memory : path-like
        The cache folder, shared by any number of recipes.
    recipe : Recipe
        How maps are made.
    """

    def __init__(self, memory, recipe):
        self.folder = Path(memory).absolute() / recipe.digest[:32]
        self._recipe = recipe
        self._written_aside = self.folder / "unfinished"
        self._written_aside.mkdir(parents=True, exist_ok=True)
        self._describe()
        self._sweep()

    def claims(self):
        """Return a context in which images can be claimed."""
        return Claims(self.folder / "claims")

    def find(self, digest):
        """Return the grids of an image's maps, or None where there is no whole entry."""
        recipe = self._recipe
        try:
            with zipfile.ZipFile(entry_path(self.folder, digest)) as entry:
                grids = _read_array(entry, GRIDS)
                sizes = [entry.getinfo(_member(layer)).file_size for layer in recipe.layers]
        except _DAMAGED:
            return None
        if grids.shape != (len(recipe.layers), recipe.n_scales, 2):
            return None
        for grid, size, n_channels in zip(grids, sizes, recipe.channels.values(), strict=True):
            n_bytes = int(grid.prod(axis=1).sum()) * n_channels * recipe.dtype.itemsize
            if not n_bytes < size < n_bytes + 4096:  # the header of an npy file is short
                return None
        return grids

    def write(self, digest, maps):
        """Make an image's maps an entry, at once and whole."""
        arrays = {_key(layer): values for layer, values in maps.values.items()}
        self._write_whole(entry_path(self.folder, digest), {GRIDS: maps.grids, **arrays})

    def find_projections(self, digest):
        """Return the mean and components of every layer, or None where they were not learned."""
        try:
            with zipfile.ZipFile(self._projections_path(digest)) as entry:
                layers = json.loads(_read_array(entry, "layers").item())
                return {
                    layer: (_read_array(entry, f"mean/{n}"), _read_array(entry, f"components/{n}"))
                    for n, layer in enumerate(layers)
                }
        except _DAMAGED:
            return None

    def write_projections(self, digest, projections):
        """Keep what was learned from a set of images."""
        arrays = {"layers": np.array(json.dumps(list(projections)))}
        for n, (mean, components) in enumerate(projections.values()):
            arrays |= {f"mean/{n}": mean, f"components/{n}": components}
        self._write_whole(self._projections_path(digest), arrays)

    def log_run(self, n_images):
        """Note that the network ran on so many images."""
        line = f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {n_images}\n"
        descriptor = os.open(self.folder / RUNS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            os.write(descriptor, line.encode())  # one write: lines of processes never mix
        finally:
            os.close(descriptor)

    def store(self, digests, grids):
        """Return what reads the maps of images when they are asked for."""
        recipe = self._recipe
        return CacheStore(self.folder, digests, grids, recipe.channels, recipe.dtype)

    def _projections_path(self, digest):
        return self.folder / "projections" / f"{digest}.npz"

    def _write_whole(self, path, arrays):
        """Write a file aside and move it to its place."""
        path.parent.mkdir(exist_ok=True)
        temporary = self._written_aside / f"{path.stem}.{uuid.uuid4().hex}"
        try:
            with temporary.open("xb") as file:
                np.savez(file, **arrays)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _describe(self):
        """Say in the folder what is in it, for people."""
        path = self.folder / "recipe.json"
        if not path.exists():
            text = json.dumps(self._recipe.describe(), indent=1, default=repr)
            path.write_text(text, encoding="utf-8")

    def _sweep(self):
        oldest = time.time() - _STALE_SECONDS
        for path in self._written_aside.iterdir():
            try:
                if path.stat().st_mtime < oldest:
                    path.unlink()
            except FileNotFoundError:
                pass  # another process swept or finished it


class CacheStore(Store):
    """Values in the files of a cache, read when they are asked for.

    Parameters
    ----------
    folder : Path
        The entries of one recipe.
    digests : array of str
        The content digest of each image; an empty one for an image without descriptors.
    grids : dict of str to array of int64 of shape (n_images, n_scales, 2)
        Rows and columns of every map, by layer.
    channels : dict of str to int
        Number of channels of each layer.
    dtype : dtype
        Type of the values.
    """

    def __init__(self, folder, digests, grids, channels, dtype):
        self.folder = folder
        self.digests = np.asarray(digests, dtype="S64")
        self.layers = tuple(grids)
        self.grids = grids
        self.channels = channels
        self.dtypes = dict.fromkeys(grids, dtype)

    def read(self, layer, images, scales):
        """Return the descriptors of chosen images and scales, one map after the other."""
        images, scales = np.asarray(images), np.asarray(scales)
        lengths = self.grids[layer][images].prod(axis=2)
        total = int(lengths[:, scales].sum())
        values = np.empty((total, self.channels[layer]), self.dtypes[layer])
        row = 0
        for image, n_rows in zip(images, lengths, strict=True):
            if not self.digests[image]:
                continue
            entry = self._read_entry(image, layer, n_rows.sum())
            parts = np.split(entry, np.cumsum(n_rows)[:-1])
            for scale in scales:
                end = row + n_rows[scale]
                values[row:end] = parts[scale]
                row = end
        return values

    def pickled(self, layers, images, scales):
        """Leave out the names of images that are not in view."""
        if len(images) == len(self.digests) and np.array_equal(images, np.arange(len(images))):
            return self, layers, images, scales
        grids = {layer: grid[images] for layer, grid in self.grids.items()}
        store = CacheStore(
            self.folder, self.digests[images], grids, self.channels, self.dtypes[self.layers[0]]
        )
        return store, layers, np.arange(len(images)), scales

    def _read_entry(self, image, layer, n_rows):
        """Return one layer's descriptors of one image, checked against what it should be."""
        path = entry_path(self.folder, self.digests[image].decode())
        try:
            with zipfile.ZipFile(path) as entry:
                values = _read_array(entry, _key(layer))
        except FileNotFoundError:
            raise StorageError(
                f"{path} was removed from the cache; call transform again to make it anew."
            ) from None
        except _DAMAGED as error:
            path.unlink(missing_ok=True)  # so that the cure below works
            raise StorageError(
                f"{path} was damaged ({error}) and has been removed; call transform again to make "
                "it anew."
            ) from error
        if values.shape != (n_rows, self.channels[layer]) or values.dtype != self.dtypes[layer]:
            raise StorageError(
                f"{path} holds {values.shape} {values.dtype}, not what was extracted; call "
                "transform again."
            )
        return values


def backbone_runs(memory):
    """Count the images that a network was run on to fill a cache folder.

    Parameters
    ----------
    memory : path-like
        The folder given to `ActivationExtractor` as `memory`.

    Returns
    -------
    int
        The number; an image counts once for each way in which it was extracted.

    Examples
    --------
    >>> import tempfile
    >>> from skdeepenc.extraction import backbone_runs
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     backbone_runs(folder)
    0
    """
    logs = Path(memory).glob(f"*/{RUNS}")
    lines = [line for log in logs for line in log.read_text(encoding="utf-8").splitlines()]
    return sum(int(line.split()[-1]) for line in lines)


def entry_path(folder, digest):
    """Return where the entry of an image lies: some thousands of files a folder at most."""
    return Path(folder) / digest[:2] / f"{digest}.npz"


def _key(layer):
    return f"values/{layer}"


def _member(layer):
    return f"{_key(layer)}.npy"


def _read_array(entry, key):
    """Read a whole array of a zip file, whose checksum is compared at its end."""
    name = f"{key}.npy"
    with entry.open(name) as member:
        array = np.lib.format.read_array(member, allow_pickle=False)
        if member.read():
            raise ValueError(f"{name} is longer than its header says")
    return array
