"""Models by name: public files that are fetched once, and believed only by their digest."""

import difflib
import json
import os
import re
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pooch

from skdeepenc._typing import PathLike
from skdeepenc.backbones.describing.hub import fetch_from_hub, is_hub_name
from skdeepenc.backbones.describing.spec import ModelSpec
from skdeepenc.exceptions import DownloadError, ModelError

EMBEDDED = "embedded"
# A name becomes a file's: no folders, no leading dot, nothing that a file system holds special.
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}


@cache
def list_models() -> dict[str, ModelSpec]:
    """Return what the catalogue says of each model, by name.

    Returns
    -------
    dict of str to ModelSpec
        Descriptions; `source` is where the file is fetched, `sha256` what it must be.

    Examples
    --------
    >>> from skdeepenc.backbones import list_models
    >>> list_models()["squeezenet1.1-7"].licence
    'Apache-2.0'
    """
    # Not by importlib.resources: it imports more at its first use, and a child that is forked
    # while another thread is at that waits for the import's lock forever.
    text = Path(__file__).with_name("catalogue.json").read_text(encoding="utf-8")
    return {name: ModelSpec(name=name, **entry) for name, entry in json.loads(text).items()}


def described(sha256):
    """Return the catalogue's description of a file with this digest, or None."""
    for spec in list_models().values():
        if spec.sha256 == sha256:
            return spec
    return None


def described_by_name(model):
    """Return the catalogue's description of a name, or None where a file of that name is meant."""
    return None if Path(model).is_file() else list_models().get(str(model))


def locate(model):
    """Return the path of a model given by name or path, fetching it if it must be.

    Parameters
    ----------
    model : str or path-like
        "embedded", a path, a name of the catalogue, or one on the hub (``hf://owner/name``); a
        file that exists is always preferred.

    Returns
    -------
    str
        Where the file lies.

    Raises
    ------
    ModelError
        If it is none of these.
    DownloadError
        If it could not be fetched, or is not the promised file.
    """
    if model == EMBEDDED:
        return str(Path(__file__).parents[1] / "embedded" / "model.onnx")
    if Path(model).is_file():
        return str(model)
    if is_hub_name(model):
        return fetch_from_hub(model)
    if str(model) in list_models():
        return _obtain(list_models()[str(model)])
    names = [EMBEDDED, *list_models()]
    nearest = difflib.get_close_matches(str(model), names, 3, 0.4) or names
    raise ModelError(
        f"{str(model)!r} is neither a file nor a model of the catalogue; nearest: "
        f"{', '.join(nearest)}. List them all with `skdeepenc models`."
    )


def _obtain(spec):
    """Fetch a model of the catalogue, if its terms let anybody do so unasked."""
    if is_hub_name(spec.source):
        return fetch_from_hub(spec.source)
    if spec.sha256 is None:
        raise ModelError(
            f"{spec.name} comes under terms of its own ({spec.licence}) and is not fetched for "
            f"you: read them at {spec.source}, and give the file by its path."
        )
    return fetch_model(spec)


def fetch_model(spec: ModelSpec, folder: PathLike | None = None) -> str:
    """Download a model of the catalogue, verify it, and keep it.

    Parameters
    ----------
    spec : ModelSpec
        Names the source and the digest.
    folder : path-like, optional
        Where to keep it; None takes the user's cache folder, or the one that the environment
        variable SKDEEPENC_CACHE names.

    Returns
    -------
    str
        The path of the verified file.

    Raises
    ------
    ModelError
        If the description has no digest, no source that is safe to fetch from, or a name that
        cannot be a file's.
    DownloadError
        If it could not be fetched, or is not the promised file.

    Examples
    --------
    >>> from skdeepenc.backbones import fetch_model, list_models
    >>> path = fetch_model(list_models()["squeezenet1.1-7"])  # doctest: +SKIP
    """
    _check_fetchable(spec)
    folder = folder or os.environ.get("SKDEEPENC_CACHE") or pooch.os_cache("skdeepenc")
    try:
        return pooch.retrieve(
            spec.source, f"sha256:{spec.sha256}", fname=f"{spec.name}.onnx", path=folder
        )
    except Exception as error:  # whatever the network, the disk or the digest holds against it
        raise DownloadError(
            f"{spec.name} could not be fetched from {spec.source}: {error}. A copy of the file can "
            "be given by its path instead."
        ) from error


def _check_fetchable(spec):
    """Refuse what could not be believed, or would be written where nobody looks for it."""
    if not _FILE_NAME.fullmatch(spec.name):
        raise ModelError(
            f"{spec.name!r} cannot name a file that is fetched: it has only letters, digits "
            "and ._+-, and begins with a letter or a digit."
        )
    if not _SHA256.fullmatch(spec.sha256 or ""):
        raise ModelError(
            f"{spec.name} has no SHA-256 digest, so what is fetched could not be verified; give "
            "sha256=..., or the path of a file that you trust."
        )
    address = urlsplit(spec.source or "")
    local = address.scheme == "http" and address.hostname in _THIS_MACHINE
    if address.scheme != "https" and not local:
        raise ModelError(
            f"{spec.name} would be fetched from {spec.source!r}; give a source that begins with "
            "https://, or the path of a file."
        )
