"""FeatureMaps: the activations of many images, in one long array per layer.

Joblib and scikit-learn handle one large array well and a long list of small ones badly, so the
descriptors of all images and scales of a layer lie one after the other, and a grid says how many
rows and columns each map has. A `FeatureMaps` is a view: taking images, layers or scales copies
nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skdeepenc._typing import Floats, Integers, PathLike
from skdeepenc.arrays.column import Column
from skdeepenc.arrays.segments import offsets_of
from skdeepenc.exceptions import FeatureMapsError
from skdeepenc.maps._cropping import cropped_columns
from skdeepenc.maps._indexing import image_index, scale_indices
from skdeepenc.maps._packing import pack_images, unpack_image
from skdeepenc.maps._storage import open_store, save_maps
from skdeepenc.maps.batches import bytes_by_image, unread_batches
from skdeepenc.maps.checks import check_columns
from skdeepenc.maps.layer_names import is_map
from skdeepenc.maps.stores import ArrayStore, Store

__all__ = ["FeatureMaps"]

_SAME = object()


class FeatureMaps:
    """Activations of one or several layers on many images, at one or several scales.

    Make one with `from_arrays`, `from_layers`, `from_values` or `load`, or take it from
    `ActivationExtractor`. It is immutable, indexes like an array of images, and never copies values
    to do so. Images may differ in size, and may lack scales or have no descriptors at all.

    Parameters
    ----------
    store : Store
        Where the values lie.
    layers : sequence of str or None, default=None
        Layers in view, None for all of the store.
    images : array-like of int or None, default=None
        Images in view, None for all of the store.
    scales : array-like of int or None, default=None
        Scales in view, None for all of the store.
    index : pandas.Index or None, default=None
        Labels of the images in view.

    Attributes
    ----------
    layers : tuple of str
        Names of the layers in view, shallow to deep.
    deepest_layer : str
        The layer that encoders take by default: the last that is neither "rgb" nor a class token.
    n_scales : int
        Number of scales in view.
    shape : tuple of int
        ``(n_images,)``: scikit-learn indexes whatever has a shape as an array.
    dtype : dtype
        The type that holds the values of every layer.
    nbytes : int
        Size of the values in view.
    in_memory : bool
        Whether the values are in memory, or read from files when asked for.
    index : pandas.Index or None
        The row labels of the table that the images came from: whatever becomes a table again has
        them. They are pickled, but not saved.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.maps import FeatureMaps
    >>> images = [np.ones((2, 3, 4)), np.ones((5, 1, 4))]
    >>> maps = FeatureMaps.from_arrays(images, layer="conv5")
    >>> maps
    FeatureMaps(2 images, 1 scale, conv5: 11 x 4 float64)
    >>> maps[1]["conv5"][0].shape
    (5, 1, 4)
    >>> maps[[1, 0]].values("conv5").shape
    (11, 4)
    """

    def __init__(
        self,
        store: Store,
        *,
        layers: Sequence[str] | None = None,
        images: ArrayLike | None = None,
        scales: ArrayLike | None = None,
        index: Any = None,
    ) -> None:
        n_images, n_scales, _ = store.grids[store.layers[0]].shape
        self._store = store
        self.layers = store.layers if layers is None else tuple(layers)
        self._images = np.arange(n_images) if images is None else np.asarray(images)
        self._scales = np.arange(n_scales) if scales is None else np.asarray(scales)
        self.index = index

    @classmethod
    def from_arrays(cls, images: ArrayLike, layer: str = "features") -> Self:
        """Make maps of one layer.

        Parameters
        ----------
        images : array-like or sequence
            A 2-D (n, D), 3-D (n, positions, D) or 4-D (n, H, W, D) array, or a sequence of one
            (m, D) or (H, W, D) array, or a list of such arrays (one per scale), for each image.
        layer : str, default="features"
            Name of the layer.

        Returns
        -------
        FeatureMaps
            The maps of the one layer.
        """
        return cls.from_layers({layer: images})

    @classmethod
    def from_layers(cls, layers: Mapping[str, ArrayLike]) -> Self:
        """Make maps of several layers of the same images.

        Parameters
        ----------
        layers : dict of str to array-like or sequence
            What `from_arrays` takes, by the layer's name, shallow to deep.

        Returns
        -------
        FeatureMaps
            The maps of all layers.
        """
        packed = {layer: pack_images(images) for layer, images in layers.items()}
        return cls.from_values(
            {layer: values for layer, (values, _) in packed.items()},
            {layer: grid for layer, (_, grid) in packed.items()},
        )

    @classmethod
    def from_values(
        cls, values: Mapping[str, NDArray[Any]], grids: Mapping[str, ArrayLike]
    ) -> Self:
        """Make maps of arrays that are already laid out; nothing is copied.

        Parameters
        ----------
        values : dict of str to ndarray of shape (total, D)
            Each layer's descriptors: image by image, in each scale by scale, in each position by
            position in row-major order.
        grids : dict of str to ndarray of int of shape (n_images, n_scales, 2)
            Rows and columns of every map, by layer; zeros where an image lacks the scale.

        Returns
        -------
        FeatureMaps
            The maps.

        Raises
        ------
        FeatureMapsError
            If sizes do not agree; the message names the layer.
        """
        sizes: dict[str, Integers] = {
            layer: np.asarray(grid, dtype=np.int64) for layer, grid in grids.items()
        }
        check_columns(values, sizes)
        return cls(ArrayStore(dict(values), sizes))

    def save(self, folder: PathLike) -> None:
        """Write the maps into a folder, as ``.npy`` files and one JSON file.

        Parameters
        ----------
        folder : path-like
            A folder that is empty or does not exist.
        """
        save_maps(self, folder)

    @classmethod
    def load(cls, folder: PathLike, mmap_mode: Literal["r", "c"] | None = "r") -> Self:
        """Open the maps that `save` wrote.

        Parameters
        ----------
        folder : path-like
            The folder. It must stay as it is while the maps, or pickles of them, are in use.
        mmap_mode : {"r", "c"} or None, default="r"
            How to map the files, see `numpy.memmap`; None reads them into memory.

        Returns
        -------
        FeatureMaps
            The maps; mapped ones pickle as a reference to the folder.

        Raises
        ------
        StorageError
            If the folder is not whole.
        """
        return cls(open_store(folder, mmap_mode))

    def __len__(self) -> int:
        return len(self._images)

    @property
    def shape(self) -> tuple[int]:
        """``(n_images,)``."""
        return (len(self),)

    @property
    def deepest_layer(self) -> str:
        """The layer that encoders take by default.

        The last that is neither "rgb" nor a class token; where all are, the last.
        """
        return next(filter(is_map, self.layers[::-1]), self.layers[-1])

    @property
    def n_scales(self) -> int:
        """Number of scales in view."""
        return len(self._scales)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type that holds the values of every layer in view."""
        return np.result_type(*(self._store.dtypes[layer] for layer in self.layers))

    @property
    def nbytes(self) -> int:
        """Size of the values in view, in bytes."""
        return int(bytes_by_image(self).sum())

    @property
    def in_memory(self) -> bool:
        """Whether the values are in memory, or read from files when asked for."""
        return self._store.in_memory

    def n_channels(self, layer: str) -> int:
        """Return the number of channels of a layer."""
        return self._store.channels[self._known(layer)]

    def values(self, layer: str) -> Floats:
        """Return the descriptors of a layer in view.

        Parameters
        ----------
        layer : str
            Name of a layer.

        Returns
        -------
        ndarray of shape (total, D)
            Image by image, in each scale by scale, in each position by position in row-major
            order, as they are stored; not a copy where they lie together in memory.
        """
        return self._store.read(self._known(layer), self._images, self._scales)

    def grid(self, layer: str) -> Integers:
        """Return rows and columns of every map of a layer.

        Parameters
        ----------
        layer : str
            Name of a layer.

        Returns
        -------
        ndarray of int64 of shape (n_images, n_scales, 2)
            Zeros where an image lacks the scale.
        """
        return self._store.grids[self._known(layer)][np.ix_(self._images, self._scales)]

    def offsets(self, layer: str) -> Integers:
        """Return where each map starts among the rows of `values`.

        Parameters
        ----------
        layer : str
            Name of a layer.

        Returns
        -------
        ndarray of int64 of shape (n_images * n_scales + 1,)
            The maps are in the order of images, in each of scales; the last entry is the total.
        """
        return offsets_of(self.grid(layer).prod(axis=2).ravel())

    def n_positions(self, layer: str) -> Integers:
        """Return the number of descriptors of each image, without reading them.

        Parameters
        ----------
        layer : str
            Name of a layer.

        Returns
        -------
        ndarray of int64 of shape (n_images,)
            Those of all scales in view.
        """
        return self.grid(layer).prod(axis=2).sum(axis=1)

    def column(self, layer: str) -> Column:
        """Read one layer of the images in view.

        Parameters
        ----------
        layer : str
            Name of a layer.

        Returns
        -------
        Column
            With `values` and `grids`, as `values` and `grid` return them, and what follows from
            the grids: `offsets` of maps and `image_offsets` of images among the rows of `values`,
            and `n_positions` of each image.
        """
        return Column(self.values(layer), self.grid(layer))

    def select(
        self, layers: Sequence[str] | None = None, scales: Sequence[int] | None = None
    ) -> "FeatureMaps":
        """Return a view of fewer layers or scales, in the order asked for.

        Parameters
        ----------
        layers : sequence of str or None, default=None
            Names of layers, None for all.
        scales : sequence of int or None, default=None
            Indices of scales, None for all; negative ones count from the end.

        Returns
        -------
        FeatureMaps
            The view.

        Raises
        ------
        FeatureMapsError
            If there is no such layer or scale.
        """
        layers = self.layers if layers is None else [self._known(layer) for layer in layers]
        chosen = self._scales[scale_indices(scales, self.n_scales)]
        return self._view(layers=layers, scales=chosen)

    def to_memory(self) -> "FeatureMaps":
        """Return the same maps, read once.

        Returns
        -------
        FeatureMaps
            What is in view, in memory; the maps themselves where they are.
        """
        if self.in_memory:
            return self
        return FeatureMaps.from_values(**self.__getstate__()).with_index(self.index)

    def with_index(self, index: Any) -> "FeatureMaps":
        """Return the same maps with other labels.

        Parameters
        ----------
        index : pandas.Index or None
            A label per image; None for none.

        Returns
        -------
        FeatureMaps
            The maps.

        Raises
        ------
        FeatureMapsError
            If there are more or fewer labels than images.
        """
        if index is not None and len(index) != len(self):
            raise FeatureMapsError(f"There are {len(index)} labels for {len(self)} images.")
        return self._view(index=index)

    def crop(self, boxes: ArrayLike, image_sizes: ArrayLike | None = None) -> "FeatureMaps":
        """Keep the activations inside a box of each image ("crop X").

        A position is kept if its centre lies in the box; at least one is.

        Parameters
        ----------
        boxes : array-like of shape (n_images, 4)
            A box per image: ``y0, x0, y1, x1``, half open, inside the image.
        image_sizes : array-like of shape (n_images, 2) or None, default=None
            Height and width of the images that the boxes are drawn on, in the same unit, such as
            pixels. None takes the map for the image: boxes are in its positions.

        Returns
        -------
        FeatureMaps
            The positions inside, of all layers and scales in view, in memory.

        Raises
        ------
        FeatureMapsError
            If a box is empty or reaches outside its image; the message names the image.
        """
        cropped = FeatureMaps.from_values(*cropped_columns(self, boxes, image_sizes))
        return cropped.with_index(self.index)

    def iter_batches(
        self, working_memory: float | None = None, bytes_per_image: ArrayLike | None = None
    ) -> Iterator["FeatureMaps"]:
        """Yield consecutive images, as many at a time as fit the working memory.

        The batches are in memory and in float32 or float64, whatever the maps are. Values that
        come from files are checked for NaN and infinity as they are read.

        Parameters
        ----------
        working_memory : float or None, default=None
            Most memory of a batch, in MiB; None takes scikit-learn's
            ``get_config()["working_memory"]``. One image makes a batch whatever its size.
        bytes_per_image : array-like of shape (n_images,) or float or None, default=None
            What the caller needs for each image beside its values.

        Yields
        ------
        FeatureMaps
            The next images.
        """
        for read in unread_batches(self, working_memory, bytes_per_image):
            yield read()

    @overload
    def __getitem__(self, key: int) -> dict[str, list[Floats]]: ...

    @overload
    def __getitem__(self, key: slice | tuple[Any, ...] | ArrayLike) -> "FeatureMaps": ...

    def __getitem__(self, key: Any) -> "FeatureMaps | dict[str, list[Floats]]":
        chosen, is_one = image_index(key)
        labels = None if self.index is None else self.index[chosen]
        chosen = self._view(images=self._images[chosen], index=labels)
        return unpack_image(chosen) if is_one else chosen

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        raise FeatureMapsError(
            "FeatureMaps are not one array: images differ in size. Encode them first (every "
            "encoder of skdeepenc takes FeatureMaps), or take maps.values(layer)."
        )

    def __repr__(self) -> str:
        columns = ", ".join(
            f"{layer}: {self.offsets(layer)[-1]} x {self.n_channels(layer)} "
            f"{self._store.dtypes[layer]}"
            for layer in self.layers
        )
        plural = "" if self.n_scales == 1 else "s"
        return f"FeatureMaps({len(self)} images, {self.n_scales} scale{plural}, {columns})"

    def __reduce__(self) -> tuple[Any, ...]:
        view = self._store.pickled(self.layers, self._images, self._scales)
        return _restore, (*view, self.index)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is in view as plain arrays, for `skdeepenc.save`; pickle goes another way."""
        return {
            "values": {layer: self.values(layer) for layer in self.layers},
            "grids": {layer: self.grid(layer) for layer in self.layers},
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(vars(FeatureMaps.from_values(**state)))

    def _view(
        self,
        layers: Sequence[str] | None = None,
        images: Integers | None = None,
        scales: Integers | None = None,
        index: Any = _SAME,
    ) -> "FeatureMaps":
        return FeatureMaps(
            self._store,
            layers=self.layers if layers is None else layers,
            images=self._images if images is None else images,
            scales=self._scales if scales is None else scales,
            index=self.index if index is _SAME else index,
        )

    def _known(self, layer: str) -> str:
        if layer not in self.layers:
            raise FeatureMapsError(f"There is no layer {layer!r}: the maps have {self.layers}.")
        return layer


def _restore(
    store: Store, layers: Sequence[str], images: Integers, scales: Integers, index: Any = None
) -> FeatureMaps:
    return FeatureMaps(store, layers=layers, images=images, scales=scales, index=index)
