"""Feature maps whose values lie in the entries of a cache, read when they are asked for."""

import numpy as np

from skdeepenc.exceptions import StorageError
from skdeepenc.extraction._entries import (
    DamagedEntryError,
    Entry,
    entry_owner,
    entry_path,
)
from skdeepenc.maps import Store


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

    Attributes
    ----------
    lease : Lease or None
        What keeps the entries from those who make the cache smaller, while this lives.
    """

    lease = None

    def __init__(self, folder, digests, grids, channels, dtype):
        self.folder = folder
        self.digests = np.asarray(digests, dtype="S64")
        self.layers = tuple(grids)
        self.grids = grids
        self.channels = channels
        self.dtypes = dict.fromkeys(grids, dtype)

    def __getstate__(self):
        """Leave the lease to this process."""
        return {name: value for name, value in vars(self).items() if name != "lease"}

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
        digest = self.digests[image].decode()
        path, owner = entry_path(self.folder, digest), entry_owner(self.folder, digest)
        try:
            with Entry(path, owner) as entry:
                values = entry.array(f"values/{layer}")
        except FileNotFoundError:
            raise StorageError(
                f"{path} was removed from the cache; call transform to compute it again."
            ) from None
        except DamagedEntryError as error:
            error.remove()  # so that the cure below works
            raise StorageError(
                f"{error}. A damaged entry is removed; call transform to compute it again."
            ) from error
        if values.shape != (n_rows, self.channels[layer]) or values.dtype != self.dtypes[layer]:
            raise StorageError(
                f"{path} holds {values.shape} {values.dtype}, not what was extracted; call "
                "transform again."
            )
        return values
