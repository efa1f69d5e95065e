"""Remember the maps of every image on disk, by its content and by how they were made.

A cache folder holds one folder per recipe, and in it one entry per image, named by the digest of
the image's content. Nothing is ever changed in place: two processes can write at once, and a killed
run goes on where it stopped. A complete cache serves from a read-only folder.
"""

import contextlib
import json
import os
import re
import time
from pathlib import Path

import numpy as np

from skdeepenc._typing import PathLike
from skdeepenc.extraction._cache_store import CacheStore
from skdeepenc.extraction._claims import Claims
from skdeepenc.extraction._entries import (
    DamagedEntryError,
    Entry,
    entry_owner,
    entry_path,
    write_entry,
)
from skdeepenc.extraction._leases import lease
from skdeepenc.extraction.recipe import as_json

GRIDS = "grids"
RUNS = "runs.log"
DESCRIPTION = "recipe.json"
UNFINISHED = "unfinished"
_DIGEST = re.compile("[0-9a-f]{64}")
# What a killed run was writing is swept away after this long.
_STALE_SECONDS = 3600.0
# When an entry was last used is noted every ten minutes: a note costs as much as a look.
NOTED_SECONDS = 600.0


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
        self._lease = lease(memory)
        self._aside = self.folder / UNFINISHED
        # A folder that may only be read serves what it has; what is missing fails to be written.
        with contextlib.suppress(OSError):
            self._aside.mkdir(parents=True, exist_ok=True)
            self._describe()
            self._sweep()

    def claims(self):
        """Return a context in which images can be claimed."""
        return Claims(self.folder / "claims")

    def find(self, digest):
        """Return the grids of an image's maps, or None where there is no whole entry."""
        recipe = self._recipe
        path = entry_path(self.folder, digest)
        try:
            with Entry(path, entry_owner(self.folder, digest)) as entry:
                grids = entry.array(GRIDS)
                sizes = [entry.size(_key(layer)) for layer in recipe.layers]
        except (FileNotFoundError, DamagedEntryError):
            return None
        if grids.shape != (len(recipe.layers), recipe.n_scales, 2):
            return None
        for grid, size, n_channels in zip(grids, sizes, recipe.channels.values(), strict=True):
            n_bytes = int(grid.prod(axis=1).sum()) * n_channels * recipe.dtype.itemsize
            if not n_bytes < size < n_bytes + 4096:  # the header of an npy file is short
                return None
        _note_use(path)
        return grids

    def write(self, digest, maps):
        """Make an image's maps an entry, at once and whole."""
        arrays = {_key(layer): values for layer, values in maps.values.items()}
        self._write(entry_path(self.folder, digest), digest, {GRIDS: maps.grids, **arrays})

    def find_projections(self, digest):
        """Return the mean and components of every layer, or None where they were not learned."""
        path = self._projections_path(digest)
        try:
            with Entry(path, entry_owner(self.folder, digest)) as entry:
                layers = json.loads(entry.array("layers").tobytes())
                _note_use(path)
                return {
                    layer: (entry.array(f"mean/{n}"), entry.array(f"components/{n}"))
                    for n, layer in enumerate(layers)
                }
        except (FileNotFoundError, DamagedEntryError):
            return None

    def write_projections(self, digest, projections):
        """Keep what was learned from a set of images."""
        names = json.dumps(list(projections)).encode()
        arrays = {"layers": np.frombuffer(names, dtype=np.uint8)}
        for n, (mean, components) in enumerate(projections.values()):
            arrays |= {f"mean/{n}": mean, f"components/{n}": components}
        self._write(self._projections_path(digest), digest, arrays)

    def log_run(self, n_images):
        """Note that the network ran on so many images."""
        line = f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {n_images}\n"
        with contextlib.suppress(OSError):  # the account alone is not a reason to lose a run
            descriptor = os.open(self.folder / RUNS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            try:
                os.write(descriptor, line.encode())  # one write: lines of processes never mix
            finally:
                os.close(descriptor)

    def store(self, digests, grids):
        """Return what reads the maps of images when they are asked for."""
        recipe = self._recipe
        store = CacheStore(self.folder, digests, grids, recipe.channels, recipe.dtype)
        store.lease = self._lease
        return store

    def _projections_path(self, digest):
        return self.folder / "projections" / f"{digest}.npz"

    def _write(self, path, digest, arrays):
        write_entry(path, entry_owner(self.folder, digest), arrays, self._aside)

    def _describe(self):
        """Say in the folder what is in it, for people."""
        path = self.folder / DESCRIPTION
        if not path.exists():
            text = json.dumps(self._recipe.describe(), indent=1, default=as_json)
            path.write_text(text, encoding="utf-8")

    def _sweep(self):
        """Remove what killed runs were writing; whoever lives holds a claim, or began just now."""
        unfinished = list(self._aside.iterdir())
        if not unfinished:
            return
        now = _time_of_file_system(self._aside)
        with self.claims() as claims:
            for path in unfinished:
                with contextlib.suppress(OSError):  # another process swept or finished it
                    stale = path.stat().st_mtime < now - _STALE_SECONDS
                    digest = path.name.partition(".")[0]
                    if stale and (not _DIGEST.fullmatch(digest) or claims.take(digest)):
                        path.unlink()


def backbone_runs(memory: PathLike) -> int:
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


def _key(layer):
    return f"values/{layer}"


def _note_use(path):
    """Set the modification time of an entry to now, every ten minutes, for who removes entries."""
    with contextlib.suppress(OSError):
        if time.time() - path.stat().st_mtime > NOTED_SECONDS:
            os.utime(path)


def _time_of_file_system(folder):
    """Return what the file system takes for now: the clocks of machines that share it differ."""
    probe = folder / f"clock.{os.getpid()}"
    probe.touch()
    try:
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)
