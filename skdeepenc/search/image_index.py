"""A search engine in a folder: images by their names, vectors, and what encodes further ones."""

from collections.abc import Iterable
from functools import cached_property
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Self

from skdeepenc._sklearn import Interval, StrOptions, validate_params
from skdeepenc._typing import ImageSource, PathLike
from skdeepenc.search.image_pass import UpdateSummary
from skdeepenc.search.index_changes import bring_in, take_out
from skdeepenc.search.index_facts import as_html, as_line
from skdeepenc.search.index_writer import IndexWriter, locked
from skdeepenc.search.listing import sources_of
from skdeepenc.search.near_duplicates import find_copies
from skdeepenc.search.new_index import add_shards, begin_index
from skdeepenc.search.questions import Where, found_images
from skdeepenc.search.shards import read_shards
from skdeepenc.search.snapshot import Snapshot
from skdeepenc.search.tables import as_table
from skdeepenc.search.vector_part import fitted_vector_part, open_kept_encoder

__all__ = ["ImageIndex"]


class ImageIndex:
    """Vectors of images in a folder, which is searched, updated and looked through for copies.

    Make one with `build`, and open it with `open`. The folder has plain files: the encoder,
    vectors in float16, tables of what they are of, and ``index.json``, which names them. It can be
    copied to another place or machine as it is.

    An index that is open shows the state in which it was opened, until it changes it itself. Any
    number of processes may search while one changes it; `open` it again to see what is new.

    Parameters
    ----------
    folder : path-like
        An index.

    Attributes
    ----------
    folder : Path
        As given.

    See Also
    --------
    encode : Vectors of ever so many images by many workers, for `from_shards`.

    Notes
    -----
    Similarities are cosines. They are exact but for the vectors' float16, which changes them by
    less than 0.001. The first search reads the vectors into memory, as float32, if they fit
    scikit-learn's ``working_memory``; larger indexes are read from the mapped files block by block,
    which takes longer for one query and hardly any longer for a hundred at once.

    From a million images on, and where faiss is installed (extra ``ann``), an index of compressed
    vectors names the candidates, which are compared as before. How much of the exact answer it
    finds, of the index's own images, is measured when it is made, and shown with the index; with
    `where` the search stays exact. faiss trusts what it reads: do not open indexes of strangers.

    Examples
    --------
    >>> import tempfile
    >>> from skdeepenc import image_pipeline
    >>> from skdeepenc.datasets import make_scenes
    >>> from skdeepenc.search import ImageIndex
    >>> scenes = list(make_scenes(6, image_size=64, random_state=0).images)
    >>> pipeline = image_pipeline("duplicates", size="fast")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     index = ImageIndex.build(pipeline, scenes, folder)
    ...     found = index.search(scenes[3:4], n_neighbors=2)
    >>> len(index), found["image"][0], round(float(found["similarity"][0]), 2)
    (6, 'image 3', 1.0)
    """

    def __init__(self, folder: PathLike) -> None:
        self.folder = Path(folder)
        self._snapshot = Snapshot(self.folder)

    @classmethod
    def build(
        cls,
        pipeline: Any,
        images: PathLike | Iterable[ImageSource],
        folder: PathLike,
        *,
        verbose: int = 0,
    ) -> Self:
        """Encode images, and keep their vectors in a folder.

        Parameters
        ----------
        pipeline : estimator or path-like
            What turns images into vectors: a pipeline, or the file of one, by `skdeepenc.save` or
            ``to_onnx(..., input="pixels")``. A ranker or predictor at its end is left out, fitted
            or not. One that is not fitted is fitted on the images, at most 50,000 of them.
        images : path-like or sequence
            What `encode` takes: a folder, a listing, archives, or a list of paths or images.
        folder : path-like
            The folder to make, or an empty one.
        verbose : int, default=0
            Show a progress bar; above 1 it stays when done.

        Returns
        -------
        ImageIndex
            The index, open.

        Raises
        ------
        StorageError
            If the folder holds an index already, or cannot be written to.
        DataSetError
            If there are no images.

        Warns
        -----
        DegenerateDataWarning
            If the pipeline ends in a ranker that does not compare vectors by their cosine alone.

        Notes
        -----
        Images that cannot be read are left out, and listed in `failures`. What was encoded is kept
        at least every 30 seconds: after an interruption, ``open(folder).update(images)`` goes on.

        Rankers of vectors are left out as they are, with a warning where they compare otherwise;
        rankers of maps (`ASMKRanker`, `LocalRanker`) have no vectors, which is an error.
        """
        sources = sources_of(images)  # once, where they are an iterator
        begin_index(Path(folder), fitted_vector_part(pipeline, sources))
        index = cls(folder)
        index._change(sources, is_whole=True, verbose=verbose)
        return index

    @classmethod
    def from_shards(cls, encoder: Any, shards: PathLike, folder: PathLike) -> Self:
        """Make an index of what `encode` wrote, one shard at a time.

        Parameters
        ----------
        encoder : estimator or path-like
            What `encode` was given; it encodes the queries.
        shards : path-like
            The folder of vectors, or its URL.
        folder : path-like
            The folder to make, or an empty one.

        Returns
        -------
        ImageIndex
            The index, open.

        Raises
        ------
        StorageError
            If shards are missing or damaged, were made by another encoder, or the folder holds an
            index already.
        """
        found = read_shards(shards)
        begin_index(Path(folder), encoder, expected=found.description["encoder"])
        with locked(Path(folder)):
            add_shards(IndexWriter(Path(folder)), found)
        return cls(folder)

    @classmethod
    def open(cls, folder: PathLike) -> Self:
        """Open an index, without reading more of it than its manifest.

        Parameters
        ----------
        folder : path-like
            The index.

        Returns
        -------
        ImageIndex
            The index.

        Raises
        ------
        StorageError
            If there is none, it is damaged or not whole, or a newer version wrote it.
        """
        return cls(folder)

    def update(
        self, images: PathLike | Iterable[ImageSource], *, reread: bool = False, verbose: int = 0
    ) -> UpdateSummary:
        """Bring the index to the state of some images, in one pass.

        New images are encoded; images that are not there any more are removed; of those that are,
        files with other time stamps are read, and encoded if their content is not known, under
        whatever name. Images that could not be read last time are tried again.

        Parameters
        ----------
        images : path-like or sequence
            All images that the index is to have, as `build` takes them, with the same names: an
            absolute path and a relative one are two names.
        reread : bool, default=False
            Whether to read every file and compare its content. Otherwise a file counts as unchanged
            whose size and times of modification and of change are those of before; the latter
            cannot be set back. Only a disk that lost what it had changes files without them.
        verbose : int, default=0
            Show a progress bar; above 1 it stays when done.

        Returns
        -------
        UpdateSummary
            How many images were encoded, known, removed.

        Raises
        ------
        StorageError
            If another process is changing the index, or it cannot be written to.
        DataSetError
            If there are no images.
        """
        return self._change(images, is_whole=True, reread=reread, verbose=verbose)

    def add(self, images: PathLike | Iterable[ImageSource], *, verbose: int = 0) -> UpdateSummary:
        """Encode further images; what the index has already stays.

        Parameters
        ----------
        images : path-like or sequence
            The images, as `build` takes them. Those without names are called "image 6" and so on,
            behind those that the index has.
        verbose : int, default=0
            Show a progress bar; above 1 it stays when done.

        Returns
        -------
        UpdateSummary
            How many images were encoded.

        Raises
        ------
        StorageError
            If another process is changing the index, or it cannot be written to.
        """
        return self._change(images, is_whole=False, verbose=verbose)

    def _change(self, images, **how):
        summary = bring_in(self.folder, self._encoder, images, **how)
        self._snapshot = Snapshot(self.folder)
        return summary

    def remove(self, ids: str | Iterable[str]) -> None:
        """Take images out of the index; their files stay where they are.

        Parameters
        ----------
        ids : str or sequence of str
            Names of images, as `images` lists them.

        Raises
        ------
        StorageError
            If the index has no such image, another process is changing it, or it cannot be written
            to. Nothing is removed then.
        """
        take_out(self.folder, [ids] if isinstance(ids, str) else list(map(str, ids)))
        self._snapshot = Snapshot(self.folder)

    @validate_params(
        {
            "n_neighbors": [Interval(Integral, 1, None, closed="left")],
            "where": [str, "array-like", callable, None],
        },
        prefer_skip_nested_validation=True,
    )
    def search(
        self,
        images: PathLike | Iterable[ImageSource],
        n_neighbors: int = 10,
        *,
        where: Where = None,
    ) -> Any:
        """Find the most similar images to each query.

        Parameters
        ----------
        images : path-like or sequence
            The queries, as `build` takes them; the path of one image is one query.
        n_neighbors : int, default=10
            How many images to find for each.
        where : str, callable or array-like of bool, default=None
            Which images may be found: those whose whole name is like a pattern ("\\*/roofs/\\*",
            where "\\*" stands for any characters and "?" for one), those of whose name a function
            is true, or a mask over `images`.

        Returns
        -------
        DataFrame
            A row per result, with the columns "query" (path or name of the query; its position
            where it has none), "rank" from 1, "image" and "similarity". Of polars after
            ``sklearn.set_config(transform_output="polars")``, else of pandas.

        Raises
        ------
        ImageBatchError
            If queries cannot be read.
        """
        return as_table(found_images(self._snapshot, self._encoder, images, n_neighbors, where))

    @validate_params(
        {"threshold": [Interval(Real, -1, 1, closed="both"), StrOptions({"auto"})]},
        prefer_skip_nested_validation=True,
    )
    def duplicates(self, threshold: float | str = "auto") -> Any:
        """Find groups of images that are copies of one another, or nearly so.

        Images are linked if each is among the ten nearest of the other, and their similarity is at
        least the threshold; images of equal content always are. Groups are the connected
        components of these links.

        Parameters
        ----------
        threshold : float or "auto", default="auto"
            The least similarity of copies. "auto" looks at the similarity `s` of an image with its
            tenth neighbour, the median over all images, and takes ``1 - (1 - s) / 5``: copies are
            at most a fifth as far apart as images of the collection that are alike. On photographs
            of flowers, with copies that were resized, compressed, cropped by a tenth or brightened,
            it found all, and two pairs in 42 that were none of these.

        Returns
        -------
        DataFrame
            A row per image that has copies, group by group, larger ones first, with the columns
            "group" from 0, "image" and "similarity", that with the nearest other one of its group.
        """
        return as_table(find_copies(self._snapshot, threshold))

    @cached_property
    def _encoder(self):
        manifest = self._snapshot.manifest
        return open_kept_encoder(self.folder / manifest.encoder, manifest.encoder_digest)

    @property
    def images(self) -> list[str]:
        """The names of the images, in the order of a mask for `search`."""
        return self._snapshot.names[self._snapshot.is_kept].tolist()

    @property
    def failures(self) -> Any:
        """Images that could not be read: a table with the columns "image" and "error"."""
        failures = self._snapshot.failures
        return as_table({"image": list(failures), "error": list(failures.values())})

    def __reduce__(self) -> tuple[Any, ...]:
        """Let another process open the folder for itself."""
        return type(self), (self.folder,)

    def __len__(self) -> int:
        """Return the number of images that can be found."""
        return len(self._snapshot)

    def __repr__(self) -> str:
        return as_line(self.folder, self._snapshot)

    def _repr_html_(self) -> str:
        """Return a small table for notebooks."""
        return as_html(self.folder, self._snapshot)
