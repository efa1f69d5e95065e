"""Models by name: public files that are fetched once, and believed only by their digest."""

import difflib
import json
import os
from functools import cache
from importlib import resources
from pathlib import Path

import pooch

from skdeepenc.backbones.spec import ModelSpec
from skdeepenc.exceptions import DownloadError, ModelError

EMBEDDED = "embedded"


@cache
def list_models():
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
    text = resources.files(__package__).joinpath("catalogue.json").read_text(encoding="utf-8")
    return {name: ModelSpec(name=name, **entry) for name, entry in json.loads(text).items()}


def described(sha256):
    """Return the catalogue's description of a file with this digest, or None."""
    for spec in list_models().values():
        if spec.sha256 == sha256:
            return spec
    return None


def locate(model):
    """Return the path of a model given by name or path, fetching it if it must be.

    Parameters
    ----------
    model : str or path-like
        "embedded", a path, or a name of the catalogue; a file that exists is always preferred.

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
        return str(resources.files(__package__).joinpath("embedded", "model.onnx"))
    if Path(model).is_file():
        return str(model)
    if str(model) in list_models():
        return fetch_model(list_models()[str(model)])
    names = [EMBEDDED, *list_models()]
    nearest = difflib.get_close_matches(str(model), names, 3, 0.4) or names
    raise ModelError(
        f"{str(model)!r} is neither a file nor a model of the catalogue; nearest: "
        f"{', '.join(nearest)}. List them all with `skdeepenc models`."
    )


def fetch_model(spec, folder=None):
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
    DownloadError
        If it could not be fetched, or is not the promised file.

    Examples
    --------
    >>> from skdeepenc.backbones import fetch_model, list_models
    >>> path = fetch_model(list_models()["squeezenet1.1-7"])  # doctest: +SKIP
    """
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
