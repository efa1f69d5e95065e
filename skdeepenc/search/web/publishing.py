"""An index as a site of plain files, which any host serves: visitors' browsers do the searching.

::

    site.json               what the site consists of
    index.html, *.js, ...   the page, as it is served by `browse_app`, but for source.js
    encoder.onnx            what turns images into vectors, run by onnxruntime-web
    runtime/                onnxruntime-web, unless it is loaded from a host of npm packages
    vectors/0.bin ...       a byte per value; see `codes`
    images/0.json ...       names, folders and sizes of a thousand images each
    small/0/0.jpg ...       what images look like: 256 pixels, and nothing else of the files
    duplicates.json         groups of copies
"""

import html
import json
import shutil
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from skdeepenc._typing import PathLike
from skdeepenc._version import __version__
from skdeepenc.arrays.threads import in_jobs
from skdeepenc.exceptions import ImageError
from skdeepenc.export import to_onnx
from skdeepenc.search.image_index import ImageIndex
from skdeepenc.search.web.codes import agreement, rows_a_shard, shards_of
from skdeepenc.search.web.collection import Collection
from skdeepenc.search.web.page_files import PAGE_FILES, page_file
from skdeepenc.search.web.pictures import Pictures
from skdeepenc.search.web.questions import Encoders
from skdeepenc.search.web.runtime import policy_of, put_runtime
from skdeepenc.search.web.site_folder import SITE, WHAT, refuse_others, replaced

__all__ = ["SiteSummary", "publish"]

_FOLDERS = {"images", "runtime", "small", "vectors"}
_OURS = {*PAGE_FILES, *_FOLDERS, SITE, "encoder.onnx", "duplicates.json"}
#: Images that a listing, and a folder of small images, have.
A_LISTING = 1000
# Images that the graph is compared on with the pipeline, before it is published.
_N_COMPARED = 4


@dataclass(frozen=True)
class SiteSummary:
    """What was published.

    Parameters
    ----------
    n_images : int
        How many images.
    left_out : dict of str to str, default={}
        Why images of the index are not among them, by their names.
    n_bytes : int, default=0
        What all files have together.
    agreement : float, default=1.0
        Which share of the exact first ten is found in the browser, measured on images of the index.

    Examples
    --------
    >>> from skdeepenc.search import SiteSummary
    >>> print(SiteSummary(1200, {"a.png": "there is no such file"}, 34_000_000, 0.997))
    1,200 images, 1 left out, 34.0 MB; finds 99.7 % of the exact first ten
    """

    n_images: int
    left_out: dict[str, str]
    n_bytes: int = 0
    agreement: float = 1.0

    def __str__(self) -> str:
        return (
            f"{self.n_images:,} images, {len(self.left_out):,} left out, "
            f"{self.n_bytes / 1e6:.1f} MB; finds {self.agreement:.1%} of the exact first ten"
        ).replace("%", " %")


def publish(
    index: PathLike | ImageIndex,
    folder: PathLike,
    *,
    runtime: PathLike | None = None,
    title: str | None = None,
) -> SiteSummary:
    """Write an index as a site of plain files that needs no server but one that serves files.

    Parameters
    ----------
    index : path-like or ImageIndex
        The index.
    folder : path-like
        The folder to make: a new one, an empty one, or a site that is to be replaced.
    runtime : path-like or None, default=None
        The npm package onnxruntime-web, of which two files are copied. With None visitors load
        them, in one version and checked by their digests, from a public host of npm packages,
        which then sees their addresses.
    title : str or None, default=None
        What the site is called; None takes the name of the index.

    Returns
    -------
    SiteSummary
        What was published.

    Raises
    ------
    ExportError
        If the encoder has no graph, or `runtime` is not that package.
    StorageError
        If there is no index, the folder holds anything else, or it cannot be written.

    See Also
    --------
    browse_app : The same page, served to this machine alone.

    Notes
    -----
    What becomes public are images at 256 pixels as JPEG, without what else their files hold; their
    names below the folder that they have in common, and their sizes; vectors, of which much of what
    images show can be told; and the encoder with its network. Images that are not there any more,
    or are not what was indexed, are left out.

    The site appears when it is whole. Images that visitors search with do not leave their browsers.

    Examples
    --------
    >>> import os, tempfile
    >>> from PIL import Image
    >>> from skdeepenc import image_pipeline
    >>> from skdeepenc.datasets import make_scenes
    >>> from skdeepenc.search import ImageIndex, publish
    >>> with tempfile.TemporaryDirectory() as place:
    ...     os.mkdir(f"{place}/photos")
    ...     for number, scene in enumerate(make_scenes(4, image_size=64, random_state=0).images):
    ...         Image.fromarray(scene).save(f"{place}/photos/{number}.png")
    ...     pipeline = image_pipeline("duplicates", size="fast")
    ...     index = ImageIndex.build(pipeline, f"{place}/photos", f"{place}/photos.index")
    ...     publish(index, f"{place}/site").n_images
    4
    """
    collection = Collection(index.folder if isinstance(index, ImageIndex) else Path(index))
    folder = Path(folder)
    refuse_others(folder, _OURS)
    with replaced(folder) as site:
        return _write(collection, site, runtime, title or collection.snapshot.folder.name)


def _write(collection, site, runtime, title):
    """Write all files of a site, what tells of all others last."""
    for name in _FOLDERS - {"runtime"}:
        (site / name).mkdir()
    pictures = Pictures(Path.cwd())
    _write_encoder(collection, pictures, site / "encoder.onnx")
    rows, left_out = _write_pictures(collection, pictures, site / "small")
    for number, content in enumerate(shards_of(collection.snapshot, rows)):
        (site / "vectors" / f"{number}.bin").write_bytes(content)
    places = {int(row): place for place, row in enumerate(rows)}
    entries = [_entry(collection, row, place) for row, place in places.items()]
    for first in range(0, len(entries), A_LISTING):
        listing = entries[first : first + A_LISTING]
        _write_json(site / "images" / f"{first // A_LISTING}.json", listing)
    _write_json(site / "duplicates.json", {"groups": _copies(collection, places, entries)})
    origins = put_runtime(runtime, site)
    _write_page(site, title, policy_of(origins))
    _write_json(site / SITE, _description(collection, rows, title, origins))
    n_bytes = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    return SiteSummary(len(rows), left_out, n_bytes, agreement(collection.snapshot, rows))


def _write_encoder(collection, pictures, path):
    """Export the encoder of an index, compared on some of its images, or copy its graph."""
    pipeline = Encoders().pipeline(collection)
    if pipeline is None:
        shutil.copyfile(collection.snapshot.folder / collection.snapshot.manifest.encoder, path)
        return
    contents = (_read(pictures.content, collection, row)[0] for row in collection.rows)
    compared = list(islice(filter(None, contents), _N_COMPARED))
    to_onnx(pipeline, path, outputs=["vector"], images=compared or None, sidecar=False)


def _read(read, collection, row):
    """Return what is read of an image, or None and why not."""
    try:
        return read(collection.name(row), collection.digest(row)), None
    except ImageError as error:
        return None, str(error)


def _write_pictures(collection, pictures, folder):
    """Write small images; return the rows that have one, and why others have none."""
    kept: list[int] = []
    left_out: dict[str, str] = {}
    rows = collection.rows.tolist()
    made = in_jobs(partial(_read, pictures.small, collection), rows, n_jobs=-1)
    for row, (content, failure) in zip(rows, made, strict=True):
        if content is None:
            left_out[collection.name(row)] = failure
            continue
        path = folder / str(len(kept) // A_LISTING) / f"{len(kept)}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        kept.append(row)
    return np.array(kept, dtype=np.intp), left_out


def _entry(collection, row, place):
    """Return what the page is told of an image, which a site knows by its place."""
    return {**collection.entry(row), "ref": str(place)}


def _copies(collection, places, entries):
    """Return the groups of copies among the images that are published."""
    groups = []
    for group in collection.copies:
        rows = [int(copy["ref"].partition("-")[0]) for copy in group]
        kept = [
            {**entries[places[row]], "similarity": copy["similarity"]}
            for row, copy in zip(rows, group, strict=True)
            if row in places
        ]
        if len(kept) > 1:
            groups.append(kept)
    return groups


def _write_page(site, title, policy):
    """Write the files of the page, with what it may load, and another source of its answers."""
    for name in PAGE_FILES:
        text = page_file("published.js" if name == "source.js" else name)
        if name == "index.html":
            rule = f'<meta http-equiv="Content-Security-Policy" content="{policy}" />'
            text = text.replace("<title>Image search", f"{rule}\n    <title>{html.escape(title)}")
        (site / name).write_text(text, encoding="utf-8")


def _description(collection, rows, title, runtime):
    """Return what the page begins with."""
    n_features = collection.snapshot.manifest.n_features
    return {
        "what": WHAT,
        "version": __version__,
        "title": title,
        "n_images": len(rows),
        "n_failures": 0,
        "n_features": n_features,
        "vectors_a_file": rows_a_shard(n_features),
        "images_a_file": A_LISTING,
        "runtime": runtime,
        "folders": list(_folders(collection, np.isin(collection.rows, rows))),
    }


def _folders(collection, is_published):
    """Yield what the page is told of folders: images of one follow one another, by their names."""
    folders = collection.folders
    for number, (parts, end) in enumerate(zip(folders.parts, folders.ends, strict=True)):
        held = folders.holds(number)[is_published]
        yield {
            "name": "/".join(parts),
            "depth": len(parts),
            "end": int(end),
            "first": int(np.argmax(held)) if held.any() else 0,
            "count": int(np.count_nonzero(held)),
        }


def _write_json(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")
