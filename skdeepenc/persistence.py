"""Save fitted estimators so that opening the file cannot run anything.

A pickle is a program. These files are skops archives instead: a zip of one JSON schema and plain
arrays, opened with scikit-learn's types, our own classes and nothing else. A member of ours beside
them says which versions wrote the file and what every other member has to be, so a file that was
cut off or changed is recognised.
"""

import hashlib
import importlib
import importlib.metadata
import json
import warnings
import zipfile
from collections.abc import Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator
from skops import io as skops_io
from skops.io.exceptions import UntrustedTypesFoundException

from skdeepenc import functional
from skdeepenc._aside import written_aside
from skdeepenc._typing import PathLike
from skdeepenc._version import __version__
from skdeepenc.exceptions import ModelError, StorageError, StorageWarning

__all__ = ["load", "save"]

#: Raised when what is stored, or how, changes so that older versions cannot read it.
FORMAT = 1
_DESCRIPTION = "skdeepenc.json"
_SCHEMA = "schema.json"
# The rooms whose classes a file may hold. Of functions the papers' maths alone is trusted, which
# a FunctionTransformer may hold: a file could have any other one called.
_TRUSTED_ROOMS = {
    "arrays",
    "backbones",
    "encoders",
    "extraction",
    "functional",
    "images",
    "maps",
    "retrieval",
}
# Rows of sparse arrays; what holds them compares their indices with their shape when it is read.
# Maps keep the type of their arrays. The others are plain Python objects that searches and
# calibrated classifiers hold. Compiled trees are not among them: they believe whatever indices a
# file gives them.
_TRUSTED_TYPES = {
    "scipy.sparse._csr.csr_array",
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.model_selection._split.GroupKFold",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedGroupKFold",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.utils._metadata_requests.MetadataRequest",
    "sklearn.utils._metadata_requests.MethodMetadataRequest",
}
_VERSIONS = ("scikit-learn", "numpy", "scipy", "onnxruntime-gpu", "onnxruntime")
_READ_CHUNK = 1 << 22
# Far more than any estimator's schema; a schema is parsed as a whole.
_LARGEST_SCHEMA = 1 << 28


def save(
    estimator: BaseEstimator,
    path: PathLike,
    *,
    include_model: bool = False,
    trusted: Sequence[str | type] = (),
) -> None:
    """Write an estimator, fitted or not, to one file.

    Parameters
    ----------
    estimator : estimator
        An estimator of skdeepenc or scikit-learn, or a pipeline of them. What fits into the file
        are arrays, plain values and estimators; a function of your own does not.
    path : path-like
        The file to write, by custom ``*.skops``. It appears whole or not at all, and replaces a
        file that is there.
    include_model : bool, default=False
        Whether to put the ONNX models of extractors into the file, so that it is the whole
        pipeline. Else the file holds their paths, and the models' digests where they are fitted.
    trusted : sequence of str, default=()
        Types of your own that the estimator holds, by their full names. `load` asks for the same.

    Raises
    ------
    StorageError
        If something in the estimator cannot be saved without pickle.

    See Also
    --------
    load : Read the file.

    Notes
    -----
    A cache folder (`memory` of an extractor) is saved as the absolute path that it has here. Where
    the file is opened on another machine, ``set_params(activationextractor__memory=...)`` names
    another one, or None for none.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import skdeepenc
    >>> maps = np.random.default_rng(0).random((10, 4, 4, 8))
    >>> encoder = skdeepenc.MOPVLADEncoder(n_clusters=3, random_state=0).fit(maps)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     skdeepenc.save(encoder, f"{folder}/encoder.skops")
    ...     loaded = skdeepenc.load(f"{folder}/encoder.skops")
    >>> np.array_equal(loaded.transform(maps), encoder.transform(maps))
    True
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise StorageError(f"{path.parent} is not a folder.")
    with written_aside(path) as folder:
        aside = folder / path.name
        try:
            with _models_inside(estimator) if include_model else nullcontext():
                skops_io.dump(estimator, aside)
        except (OSError, ModelError):
            raise
        except Exception as error:  # skops raises whatever an object that it cannot take does
            raise StorageError(
                f"{type(estimator).__name__} cannot be saved without pickle: {error}"
            ) from error
        _refuse_strangers(aside, f"{type(estimator).__name__} cannot be saved", trusted)
        _describe(aside, type(estimator).__qualname__)


def load(path: PathLike, *, trusted: Sequence[str | type] = ()) -> Any:
    """Read an estimator from a file that `save` wrote.

    Opening a file runs nothing and loads no library: it may hold types of scikit-learn, numpy and
    scipy that skops trusts, classes of skdeepenc, and plain arrays. Models that the file names by
    their paths are opened when the estimator is first used.

    Parameters
    ----------
    path : path-like
        The file.
    trusted : sequence of str, default=()
        Further types to trust, by their full names, such as ``"mypackage.MyEncoder"``. Name those
        alone that you wrote or have read.

    Returns
    -------
    estimator
        What was saved.

    Raises
    ------
    StorageError
        If the file is damaged, comes from a newer version, or holds types that are not trusted.

    Warns
    -----
    StorageWarning
        If the file was written by another version of skdeepenc.

    Examples
    --------
    >>> import skdeepenc
    >>> classifier = skdeepenc.load("flowers.skops")  # doctest: +SKIP
    >>> classifier.predict(["new.jpg"])  # doctest: +SKIP
    """
    path = Path(path)
    if not path.is_file():
        raise StorageError(f"{path} is not a file.")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path)
        _refuse_strangers(path, f"{path.name} is not opened", trusted)
        return skops_io.load(path, trusted=[*_own_types(path), *trusted])
    except StorageError:
        raise
    except MemoryError:
        raise
    except Exception as error:  # damage shows in any way, once checksums hold and content does not
        raise StorageError(
            f"{path.name} is damaged, or was not written by skdeepenc.save: {error}"
        ) from error


@contextmanager
def _models_inside(estimator):
    """Let every extractor of an estimator hold its model's content while it is saved."""
    from skdeepenc.extraction import ActivationExtractor  # encoders are saved without ONNX

    parts = _parts(estimator, set())
    extractors = [part for part in parts if isinstance(part, ActivationExtractor)]
    before = [dict(vars(extractor)) for extractor in extractors]
    try:
        for extractor in extractors:
            _embed_model(extractor)
        yield
    finally:
        for extractor, attributes in zip(extractors, before, strict=True):
            extractor.__dict__.update(attributes)


def _embed_model(extractor):
    from skdeepenc.backbones import Backbone

    fitted = getattr(extractor, "backbone_", None)
    content = (fitted or Backbone(extractor.model)).content()
    if fitted:
        extractor.relocate(content)
    else:
        extractor.model = content


def _parts(thing, seen):
    """Yield every object inside a nest of estimators, lists and dictionaries."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, BaseEstimator):
        yield thing
        thing = vars(thing)
    if isinstance(thing, dict):
        thing = list(thing.values())
    if isinstance(thing, list | tuple):
        for part in thing:
            yield from _parts(part, seen)


def _describe(path, name):
    """Add what wrote the archive, and the digests of its members."""
    with zipfile.ZipFile(path) as archive:
        digests = {member.filename: _digest(archive, member) for member in archive.infolist()}
    description = {
        "format": FORMAT,
        "estimator": name,
        "versions": {"skdeepenc": __version__, **dict(_installed_versions())},
        "sha256": digests,
    }
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(_DESCRIPTION, json.dumps(description, indent=1))


def _installed_versions():
    for package in _VERSIONS:
        try:
            yield package, importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue


def _digest(archive, member):
    digest = hashlib.sha256()
    with archive.open(member) as file:
        while chunk := file.read(_READ_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _check_members(archive, path):
    """Refuse an archive that is not what its description says, or that would grow on opening."""
    members = {member.filename: member for member in archive.infolist()}
    if _DESCRIPTION not in members or _SCHEMA not in members:
        raise StorageError(f"{path.name} was not written by skdeepenc.save.")
    for member in members.values():
        # Stored as they are, members cannot be larger than the file.
        if member.compress_type != zipfile.ZIP_STORED:
            raise StorageError(f"{path.name} holds compressed members, which save never writes.")
    if members[_SCHEMA].file_size + members[_DESCRIPTION].file_size > _LARGEST_SCHEMA:
        raise StorageError(f"{path.name} has a schema larger than that of any estimator.")
    description = json.loads(archive.read(_DESCRIPTION))
    _check_version(description, path)
    digests = description["sha256"]
    if set(digests) != set(members) - {_DESCRIPTION} or len(members) != len(archive.infolist()):
        raise StorageError(f"{path.name} has lost or gained members since it was written.")
    for name, digest in digests.items():
        if _digest(archive, members[name]) != digest:
            raise StorageError(f"{path.name} was changed since it was written: {name} differs.")


def _check_version(description, path):
    written = f"{description['versions']['skdeepenc']!s:.40}"  # whatever a forged file says
    if description["format"] > FORMAT:
        raise StorageError(
            f"{path.name} was written by skdeepenc {written}, in a way that {__version__} does not "
            "know. Upgrade skdeepenc to open it."
        )
    if written != __version__:
        warnings.warn(
            f"{path.name} was written by skdeepenc {written}; this is {__version__}.",
            StorageWarning,
            stacklevel=3,
        )


def _own_types(path):
    """Return the names of the types in an archive that are classes of ours."""
    return [name for name in skops_io.get_untrusted_types(file=path) if _is_own(name)]


def _is_own(name):
    """Tell whether a full name is that of a class of ours or that ours hold, or of the maths."""
    if name in _TRUSTED_TYPES:
        return True
    module, _, attribute = name.rpartition(".")
    if not _in_trusted_room(module):
        return False
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except ImportError:
        return False
    if not isinstance(found, type):
        return getattr(functional, attribute, None) is found is not None
    return _in_trusted_room(found.__module__)  # perhaps another one, where the class has moved


def _in_trusted_room(module):
    package, _, rest = module.partition(".")
    return package == "skdeepenc" and rest.partition(".")[0] in _TRUSTED_ROOMS


def _refuse_strangers(path, sentence, trusted):
    """Raise a StorageError if an archive holds types that are neither ours nor trusted."""
    try:
        unknown = skops_io.get_untrusted_types(file=path)
    except UntrustedTypesFoundException as error:
        raise StorageError(f"{sentence}: {error}") from error
    strangers = [name for name in unknown if not (_is_own(name) or name in trusted)]
    if strangers:
        raise StorageError(
            f"{sentence}: it holds {', '.join(strangers)}, which skdeepenc does not trust. Name "
            "types of your own with trusted=[...]."
        )
