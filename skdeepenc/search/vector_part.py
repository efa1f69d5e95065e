"""The part of a pipeline that turns images into vectors, fitted, and as one file of an index."""

import os
import shutil
import warnings
from pathlib import Path
from typing import Any

from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skdeepenc.exceptions import DegenerateDataWarning, ImageBatchWarning, StorageError
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.persistence import load, save
from skdeepenc.retrieval import IndexedRanker, NearestNeighborRanker
from skdeepenc.search.encoders import open_encoder
from skdeepenc.search.sampling import sampled_images

__all__ = ["fitted_vector_part", "keep_encoder", "open_kept_encoder"]

# An encoder learns no more from more images than these.
_LARGEST_SAMPLE = 50_000


def fitted_vector_part(pipeline: Any, images: Any) -> Any:
    """Return what of a pipeline makes vectors, fitted on a sample of images if it was not.

    Parameters
    ----------
    pipeline : estimator or path-like
        A pipeline, or the file of one.
    images : list
        Paths, URLs, contents of files, opened images, arrays or archives.

    Returns
    -------
    estimator or path-like
        Fitted; without the ranker or predictor at the end.
    """
    if isinstance(pipeline, str | os.PathLike):
        return pipeline
    encoder = _vector_part(pipeline)
    try:
        check_is_fitted(encoder)
    except NotFittedError:
        with sampled_images(images, _LARGEST_SAMPLE, random_state=0) as sample:
            return _fitted(clone(encoder), sample)
    return encoder


def _fitted(encoder, images):
    """Fit an encoder; images that cannot be read are listed later, with all others of them."""
    extractors = [
        step
        for _, step in getattr(encoder, "steps", [])
        if isinstance(step, ActivationExtractor) and step.on_error == "raise"
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImageBatchWarning)
        for extractor in extractors:
            extractor.on_error = "warn"
        encoder.fit(images)
    for extractor in extractors:
        extractor.on_error = "raise"
    return encoder


def _vector_part(pipeline):
    if not isinstance(pipeline, Pipeline) or len(pipeline.steps) < 2:
        return pipeline
    last = pipeline.steps[-1][1]
    if not hasattr(last, "rank"):
        return pipeline if hasattr(last, "transform") else _plain(pipeline)
    if not _ranks_by_cosine(last):
        warnings.warn(
            f"The index compares vectors by their cosine, not as {type(last).__name__} does with "
            "these parameters. pipeline[:-1] in the place of the pipeline says that this is meant.",
            DegenerateDataWarning,
            stacklevel=4,
        )
    return _plain(pipeline)


def _plain(pipeline):
    """Leave the last step out; what is left ends in no ranker, so it is a plain pipeline."""
    return Pipeline(pipeline.steps[:-1])


def _ranks_by_cosine(ranker):
    is_plain = type(ranker) in (NearestNeighborRanker, IndexedRanker)
    return is_plain and ranker.metric == "cosine" and not ranker.expansion


def keep_encoder(encoder: Any, folder: Path) -> tuple[str, str]:
    """Write an encoder into a folder, with its model, so that the folder needs nothing else.

    Parameters
    ----------
    encoder : estimator or path-like
        Fitted, or a file of one.
    folder : Path
        Where to.

    Returns
    -------
    name, digest : str
        Of the file, and what `open_encoder` says that the encoder is.
    """
    is_file = isinstance(encoder, str | os.PathLike)
    if is_file and Path(encoder).suffix.lower() == ".onnx":
        digest = open_encoder(encoder).digest
        shutil.copyfile(encoder, folder / "encoder.onnx")
        return "encoder.onnx", digest
    if is_file:  # which may say only where its model is
        encoder = load(encoder)
    digest = open_encoder(encoder).digest
    save(encoder, folder / "encoder.skops", include_model=True)
    return "encoder.skops", digest


def open_kept_encoder(path: Path, digest: str) -> Any:
    """Open the encoder of an index, which must be the one that its vectors are of.

    Parameters
    ----------
    path : Path
        The encoder's file.
    digest : str
        What the manifest says that it is.

    Returns
    -------
    ImageEncoder
        The encoder.

    Raises
    ------
    StorageError
        If it is another one.
    """
    encoder = open_encoder(path)
    if encoder.digest != digest:
        raise StorageError(
            f"{path} is not the encoder that the vectors of the index were made with: put that "
            "file back, or build the index again."
        )
    return encoder
