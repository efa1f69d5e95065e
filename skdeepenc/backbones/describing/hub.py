"""Models of the Hugging Face hub: ``hf://owner/name[@revision][/path]``.

Only data is fetched: the ONNX file, the weights that it keeps beside itself, and its preprocessor.
They lie in the hub's own cache, where other programs find them too. What the environment says of
the hub (HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE) holds here.
"""

import contextlib
import os
import re
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import onnx
from google.protobuf.message import DecodeError
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from skdeepenc._optional import require
from skdeepenc.backbones.describing.preprocessor_file import FILE_NAMES
from skdeepenc.exceptions import DownloadError, ModelError

PREFIX = "hf://"
DEFAULT_REVISION = "main"
# Where exporters put the whole model; of two towers the one that sees images is wanted.
_PREFERRED = ("onnx/vision_model.onnx", "vision_model.onnx", "onnx/model.onnx", "model.onnx")
_PATTERN = re.compile(
    r"hf://(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>[\w.%-]+))?(/(?P<path>.+))?", re.ASCII
)
_TRUE = {"1", "on", "true", "yes"}
# What this process has found: every clone of an estimator asks again.
_FOUND: dict[tuple[Any, ...], str] = {}


# By the names of the library's errors, which it may not have been asked to import.
_REASONS = {
    "GatedRepoError": "its terms must be accepted on its page, then log in with `hf auth login`",
    "RepositoryNotFoundError": "there is no such repository, or it is private (`hf auth login`)",
    "RevisionNotFoundError": "the repository has no such revision",
    "RemoteEntryNotFoundError": "the repository has no such file",
    "EntryNotFoundError": "the repository has no such file",
    "LocalEntryNotFoundError": "the file is not in the cache, and the hub is not asked",
}


class HubName(NamedTuple):
    """What a name on the hub says."""

    repository: str
    revision: str
    path: str | None

    @property
    def names_file(self):
        """Whether the path is that of a model, not of a folder of models."""
        return self.path is not None and self.path.endswith(".onnx")

    def __str__(self):
        """Return the name as people write it."""
        revision = "" if self.revision == DEFAULT_REVISION else f"@{quote(self.revision, safe='')}"
        return f"{PREFIX}{self.repository}{revision}" + (f"/{self.path}" if self.path else "")


def is_hub_name(model):
    """Tell whether a model is given by its name on the hub."""
    return isinstance(model, str) and model.startswith(PREFIX)


def parse_hub_name(name):
    """Take a name on the hub apart, or say what is wrong with it.

    Examples
    --------
    >>> from skdeepenc.backbones.describing.hub import parse_hub_name
    >>> parse_hub_name("hf://owner/name@v1/onnx/model.onnx")
    HubName(repository='owner/name', revision='v1', path='onnx/model.onnx')
    """
    match = _PATTERN.fullmatch(name)
    revision = unquote((match and match["revision"]) or DEFAULT_REVISION)
    path = match and match["path"]
    parts = [*PurePosixPath(revision).parts, *PurePosixPath(path or "").parts]
    if match is None or any(part in ("..", "/") for part in parts):
        raise ModelError(
            f"{name!r} is not a name on the hub; write hf://owner/name, hf://owner/name@revision "
            "or hf://owner/name/path/model.onnx."
        )
    return HubName(match["repository"], revision, path)


def fetch_from_hub(name):
    """Return the path of a model of the hub, fetching what the cache lacks.

    Parameters
    ----------
    name : str
        ``hf://owner/name[@revision][/path]``; without a path the model is looked for among the
        repository's files.

    Returns
    -------
    str
        Where the ONNX file lies in the hub's cache, its weights and its preprocessor with it.

    Raises
    ------
    MissingDependencyError
        If `huggingface_hub` is not installed.
    ModelError
        If the name is none, or fits several files or none; the message lists them.
    DownloadError
        If a file could not be fetched, and is not in the cache.
    """
    require("huggingface_hub", extra="hub", purpose="A model of the hub")
    asked, place = parse_hub_name(name), _Place.of_environment()
    key = (asked, place)
    if not os.path.isfile(_FOUND.get(key, "")):
        try:
            _FOUND[key] = _fetch(asked, place)
        except (ModelError, DownloadError):
            raise
        except Exception as error:  # whatever the hub, the network or the disk holds against it
            raise DownloadError(f"{name} could not be fetched: {_reason(error)}.") from error
    return _FOUND[key]


class _Place(NamedTuple):
    """Where files come from and where they are kept."""

    endpoint: str | None
    cache: str
    offline: bool

    @classmethod
    def of_environment(cls):
        """Read the environment now: the hub's library does so only when it is imported."""
        from huggingface_hub import constants

        home = os.environ.get("HF_HOME")
        cache = os.environ.get("HF_HUB_CACHE") or (home and os.path.join(home, "hub"))
        offline = os.environ.get("HF_HUB_OFFLINE", "").lower() in _TRUE
        return cls(
            os.environ.get("HF_ENDPOINT", "").rstrip("/") or None,
            os.path.expanduser(cache or constants.HF_HUB_CACHE),
            offline or constants.HF_HUB_OFFLINE,
        )


def _fetch(asked, place):
    """Fetch the model first, and what belongs to it from the very same commit."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    files, place = _survey(asked, place)

    def download(path, revision):
        return hf_hub_download(
            asked.repository,
            path,
            revision=revision,
            cache_dir=place.cache,
            endpoint=place.endpoint,
            local_files_only=place.offline,
        )

    path = asked.path if asked.names_file else choose_file(files, asked)
    model = download(path, asked.revision)
    commit = _commit(model, path)
    for other in _companions(path, model):
        if files is None or other in files:
            with contextlib.suppress(EntryNotFoundError):  # whoever needs it says so later
                download(other, commit)
    return model


def _survey(asked, place):
    """Return the repository's files and where to take them from.

    The files are None where the hub lists none, and a file was named all the same. Where the hub
    cannot be reached, the cache is all there is.
    """
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    unreachable = None
    if not place.offline:
        try:
            return _ask_hub(asked, place), place
        except (RepositoryNotFoundError, RevisionNotFoundError):
            if asked.names_file:
                return None, place
            raise
        except Exception as error:  # whatever a network can do
            unreachable, place = error, place._replace(offline=True)
    files = _list_cache(asked, place)
    if not files:
        reason = "HF_HUB_OFFLINE is set" if unreachable is None else _reason(unreachable)
        raise DownloadError(
            f"{asked} is not in the cache, and the hub cannot be reached: {reason}."
        ) from unreachable
    return files, place


def _ask_hub(asked, place):
    from huggingface_hub import HfApi

    info = HfApi(endpoint=place.endpoint).model_info(asked.repository, revision=asked.revision)
    return [file.rfilename for file in info.siblings or []]


def choose_file(files, asked):
    """Return which of a repository's files is the model.

    Examples
    --------
    >>> from skdeepenc.backbones.describing.hub import choose_file, parse_hub_name
    >>> files = ["README.md", "onnx/model.onnx", "onnx/model_fp16.onnx"]
    >>> choose_file(files, parse_hub_name("hf://owner/name"))
    'onnx/model.onnx'
    """
    folder = f"{asked.path.rstrip('/')}/" if asked.path else ""
    found = sorted(file for file in files if file.endswith(".onnx") and file.startswith(folder))
    preferred = [folder + name for name in _PREFERRED if folder + name in found]
    if preferred or len(found) == 1:
        return (preferred or found)[0]
    if not found:
        raise ModelError(
            f"{asked} holds no ONNX file. Another repository may hold an export of that model, "
            "onnx-community/... for many."
        )
    raise ModelError(
        f"{asked} holds several ONNX files; name one of them, such as "
        f"hf://{asked.repository}/{found[0]}: {', '.join(found)}."
    )


def _list_cache(asked, place):
    """List the files of a revision that the cache holds."""
    folder = Path(place.cache, f"models--{asked.repository.replace('/', '--')}")
    reference = folder / "refs" / asked.revision
    commit = reference.read_text().strip() if reference.is_file() else asked.revision
    snapshot = folder / "snapshots" / commit
    return [file.relative_to(snapshot).as_posix() for file in snapshot.rglob("*") if file.is_file()]


def _commit(model, path):
    """Return the commit whose folder of the cache a fetched file lies in."""
    return Path(model).parents[len(PurePosixPath(path).parts) - 1].name


def _companions(path, model):
    """List what belongs to a model in its repository: weights beside it, and its preprocessor."""
    folder = PurePosixPath(path).parent
    weights = [folder / location for location in sorted(_external_files(model))]
    inside = [file for file in weights if ".." not in file.parts and not file.is_absolute()]
    preprocessors = [
        place / name for name in FILE_NAMES for place in dict.fromkeys((folder, folder.parent))
    ]
    return [file.as_posix() for file in [*inside, *preprocessors]]


def _external_files(model):
    """Return where a model keeps weights, beside its file."""
    try:
        parsed = onnx.load_model(model, format="protobuf", load_external_data=False)
    except DecodeError:
        return set()  # whoever opens it will say what is wrong
    tensors = filter(uses_external_data, parsed.graph.initializer)
    return {ExternalDataInfo(tensor).location for tensor in tensors}


def _reason(error):
    """Return in one line why the hub gave nothing, and what to do."""
    kind = type(error).__name__
    return _REASONS.get(kind) or " ".join(f"{kind}: {error}".split())[:300]
