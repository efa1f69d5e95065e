"""What turns a stream of images into vectors: fitted pipelines, and exported graphs.

A pipeline that begins with an extractor is run as a stream, the maps of one block at a time;
whatever else transforms images is handed decoded ones.
"""

import os
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skdeepenc.arrays.threads import in_jobs
from skdeepenc.backbones.running.session import Graph, get_session, run_there
from skdeepenc.exceptions import ImageError, ModelError, NonFiniteError
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.extraction.map_blocks import map_blocks
from skdeepenc.images.decode import load_image
from skdeepenc.persistence import load
from skdeepenc.search.identity import digest_of, digest_of_file
from skdeepenc.search.images import EncodedImage, as_text

__all__ = ["ImageEncoder", "open_encoder"]

# Maps, or pixels, of a block: encoders make copies and products of them, several times as large.
_SHARE_OF_MEMORY = 16
_PIXELS, _VECTOR = "images", "vector"


class ImageEncoder:
    """Turns a stream of images into vectors.

    Parameters
    ----------
    digest : str
        Changes when the vectors could.
    encode : callable
        Given images and the bytes of a block, it yields blocks: images, the failures among them
        (None for an image that was read), and the vectors of those that were read, or None.

    Attributes
    ----------
    digest : str
        As given.
    """

    def __init__(self, digest, encode):
        self.digest = digest
        self._encode = encode

    def blocks(self, images, dtype):
        """Yield images and their vectors, those of some at once.

        Parameters
        ----------
        images : iterable of EncodedImage
            The images. Those that cannot be read get their `error`, and a vector of zeros.
        dtype : str
            Type of the vectors.

        Yields
        ------
        images : list of EncodedImage
            Some consecutive images.
        vectors : ndarray of shape (n_images, n_features)
            Their vectors.
        """
        most_bytes = int(get_config()["working_memory"] * 2**20 / _SHARE_OF_MEMORY)
        for block, failures, encoded in self._encode(images, most_bytes):
            for image, failure in zip(block, failures, strict=True):
                image.error = failure and as_text(failure)
            if encoded is None:
                yield block, np.zeros((len(block), self._width()), dtype)
            else:
                yield block, _with_gaps(_cast(encoded, dtype, block), failures)

    def _width(self):
        """Return the length of a vector, where no image gave one."""
        blank = EncodedImage("a blank image", np.full((64, 64, 3), 127, np.uint8))
        ((_, _, encoded),) = self._encode([blank], 1)
        return encoded.shape[1]


def open_encoder(encoder):
    """Return what turns images into vectors.

    Parameters
    ----------
    encoder : estimator or path-like
        A fitted pipeline, or the file of one: skops or ONNX.

    Returns
    -------
    ImageEncoder
        The encoder.

    Raises
    ------
    ModelError
        If a graph does not turn images into vectors.
    StorageError
        If the file cannot be read.
    ValueError
        If the estimator does not transform anything.
    """
    if isinstance(encoder, str | os.PathLike):
        path = Path(encoder)
        if path.suffix.lower() == ".onnx":
            return _open_graph(path)
        encoder = load(path)
    check_is_fitted(encoder)
    steps = _steps_of(encoder)
    digest = digest_of(steps)
    if isinstance(steps[0], ActivationExtractor) and len(steps) > 1:
        return ImageEncoder(digest, partial(_from_maps, steps[0], steps[1:]))
    transform = partial(_transform, steps)
    return ImageEncoder(digest, partial(_from_pixels, transform, getattr(encoder, "n_jobs", None)))


def _steps_of(encoder):
    """List what transforms images, one after the other; a ranker or predictor is left out."""
    steps = [step for _, step in encoder.steps] if isinstance(encoder, Pipeline) else [encoder]
    is_passed = hasattr(steps[-1], "transform") or steps[-1] == "passthrough"
    if hasattr(steps[-1], "rank") or not is_passed:
        steps = steps[:-1]
    steps = [step for step in steps if step not in (None, "passthrough")]
    if not steps:
        raise ValueError(f"{type(encoder).__name__} transforms nothing: give a fitted pipeline.")
    if len(steps) == 1 and isinstance(steps[0], ActivationExtractor):
        raise ValueError(
            "The pipeline ends with the extractor's maps: put an encoder behind it, such as "
            "GlobalPooler, which makes one vector of each image."
        )
    return steps


def _transform(steps, X):
    for step in steps:
        X = step.transform(X)
    return X.toarray() if sparse.issparse(X) else np.asarray(X)


def _from_maps(extractor, steps, images, most_bytes):
    """Run the extractor as a stream, and the other steps block by block."""
    for block, failures, maps in map_blocks(extractor, images, most_bytes=most_bytes):
        yield block, failures, None if maps is None else _transform(steps, maps)


def _from_pixels(transform, n_jobs, images, most_bytes):
    """Decode images, and transform those that fit the memory."""
    block, failures, pixels, n_bytes = [], [], [], 0
    for image, failure, decoded in in_jobs(_decoded, images, n_jobs):
        block.append(image)
        failures.append(failure)
        if decoded is not None:
            pixels.append(decoded)
            n_bytes += decoded.nbytes
        if n_bytes >= most_bytes:
            yield block, failures, transform(pixels)
            block, failures, pixels, n_bytes = [], [], [], 0
    if block:
        yield block, failures, transform(pixels) if pixels else None


def _decoded(image):
    try:
        return image, None, np.asarray(load_image(image.read()))
    except ImageError as error:
        return image, str(error), None


def _open_graph(path):
    """Open a graph that `skdeepenc.export.to_onnx` wrote."""
    if not path.is_file():
        raise ModelError(f"{path} is not a file.")
    digest = digest_of_file(path)
    session = get_session(("search", digest), lambda: Graph(path.read_bytes(), path.parent))
    inputs = [each.name for each in session.get_inputs()]
    if inputs != [_PIXELS] or _VECTOR not in [each.name for each in session.get_outputs()]:
        raise ModelError(
            f"{path.name} does not turn images into vectors: its inputs are {', '.join(inputs)}. "
            'Write one with skdeepenc.export.to_onnx(pipeline, path, input="pixels").'
        )
    return ImageEncoder(digest, partial(_from_pixels, partial(_run_graph, session), None))


def _run_graph(session, pixels):
    """Run a graph on images, those of one size at once."""
    by_size = defaultdict(list)
    for position, image in enumerate(pixels):
        by_size[image.shape].append(position)
    vectors: list[Any] = [None] * len(pixels)
    for positions in by_size.values():
        stack = np.stack([pixels[position] for position in positions])
        (encoded,) = run_there(session, {_PIXELS: stack}, [_VECTOR])
        for position, vector in zip(positions, encoded, strict=True):
            vectors[position] = vector
    return np.stack(vectors)


def _cast(vectors, dtype, block):
    with np.errstate(over="ignore"):
        cast = vectors.astype(dtype, copy=False)
    if not np.isfinite(cast).all():
        raise NonFiniteError(
            f"Vectors of images between {block[0]} and {block[-1]} are not finite in {dtype}: look "
            'at the encoder, or encode with dtype="float32".'
        )
    return cast


def _with_gaps(encoded, failures):
    """Put zeros where an image failed."""
    is_read = np.array([failure is None for failure in failures])
    if is_read.all():
        return encoded
    vectors = np.zeros((len(failures), encoded.shape[1]), encoded.dtype)
    vectors[is_read] = encoded
    return vectors
