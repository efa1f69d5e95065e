"""Feature maps of further images behind those that are there.

Values in memory are copied into one array, as ever; those that lie in files stay there, and a store
of several parts reads from whichever holds an image.
"""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

import numpy as np

from skdeepenc._typing import Floats, Integers
from skdeepenc.exceptions import FeatureMapsError
from skdeepenc.maps.feature_maps import FeatureMaps
from skdeepenc.maps.stores import Store

__all__ = ["JoinedStore", "join_maps"]


def join_maps(first: FeatureMaps, second: FeatureMaps) -> FeatureMaps:
    """Return the images of two maps, one behind the other.

    Parameters
    ----------
    first, second : FeatureMaps
        Maps of equally many scales; `second` has at least the layers of `first`.

    Returns
    -------
    FeatureMaps
        The layers of `first`.

    Raises
    ------
    FeatureMapsError
        If layers, channels or scales differ.
    """
    second = second.select(layers=first.layers)
    for layer in first.layers:
        if first.n_channels(layer) != second.n_channels(layer):
            raise FeatureMapsError(
                f"Layer {layer!r} has {second.n_channels(layer)} channels in the further images, "
                f"and {first.n_channels(layer)} in those before."
            )
    if first.n_scales != second.n_scales:
        raise FeatureMapsError(
            f"The further images have {second.n_scales} scales, those before {first.n_scales}."
        )
    parts = []
    for in_memory, group in groupby([*_parts(first), *_parts(second)], attrgetter("in_memory")):
        views = list(group)
        parts += [_in_one_array(views)] if in_memory else views
    return parts[0] if len(parts) == 1 else FeatureMaps(JoinedStore(parts))


def _parts(maps: FeatureMaps) -> list[FeatureMaps]:
    """Return the views of other stores that maps consist of."""
    store = maps._store
    if not isinstance(store, JoinedStore):
        return [maps]
    return store.views(maps.layers, maps._images, maps._scales)


def _in_one_array(parts: list[FeatureMaps]) -> FeatureMaps:
    if len(parts) == 1:
        return parts[0]
    layers = parts[0].layers
    values = {layer: np.concatenate([part.values(layer) for part in parts]) for layer in layers}
    grids = {layer: np.concatenate([part.grid(layer) for part in parts]) for layer in layers}
    return FeatureMaps.from_values(values, grids)


class JoinedStore(Store):
    """Values of several maps, each image read from the maps that it is of.

    Parameters
    ----------
    parts : list of FeatureMaps
        Maps of the same layers, channels and scales.
    """

    def __init__(self, parts: list[FeatureMaps]) -> None:
        self.parts = parts
        self.layers = parts[0].layers
        self.channels = {layer: parts[0].n_channels(layer) for layer in self.layers}
        self.grids, self.dtypes = {}, {}
        for layer in self.layers:
            self.grids[layer] = np.concatenate([part.grid(layer) for part in parts])
            self.dtypes[layer] = np.result_type(*(part.select([layer]).dtype for part in parts))
        self._starts = np.cumsum([0, *map(len, parts)])

    def read(self, layer: str, images: Integers, scales: Integers) -> Floats:
        """Read runs of images that lie in one part together."""
        runs = [view.values(layer) for view in self.views([layer], images, scales)]
        runs.append(np.empty((0, self.channels[layer]), self.dtypes[layer]))
        return np.concatenate(runs, dtype=self.dtypes[layer])

    def pickled(
        self, layers: Sequence[str], images: Integers, scales: Integers
    ) -> tuple[Store, Sequence[str], Integers, Integers]:
        """Leave out what is not in view; each part then pickles in its own way."""
        views = self.views(layers, images, scales)
        if not views:
            return super().pickled(layers, images, scales)
        return JoinedStore(views), layers, np.arange(len(images)), np.arange(len(scales))

    def views(self, layers: Sequence[str], images: Integers, scales: Integers) -> list[FeatureMaps]:
        """Return views of the parts that hold images of the store, in their order."""
        images = np.asarray(images)
        owners = np.searchsorted(self._starts, images, side="right") - 1
        runs = np.split(np.arange(len(images)), np.flatnonzero(np.diff(owners)) + 1)
        return [
            self.parts[owners[run[0]]][images[run] - self._starts[owners[run[0]]]].select(
                layers, list(scales)
            )
            for run in runs
            if len(run)
        ]
