"""The description that a model's authors left in a file beside it.

Models of a hub come with a `preprocessor_config.json`, in the folder of the ONNX file or, where
that is called ``onnx``, one folder up. It is read by itself, as data from anywhere: bounded in
size, and believed only as far as it makes sense.
"""

import json
import warnings
from dataclasses import replace
from pathlib import Path

from skdeepenc.backbones.describing.spec import ModelSpec
from skdeepenc.exceptions import ModelError, ModelWarning

FILE_NAME = "preprocessor_config.json"
# The second one describes a network; of timm's it holds the preprocessing too.
FILE_NAMES = (FILE_NAME, "config.json")
LARGEST_BYTES = 1 << 20


def spec_beside(model, name):
    """Return what a file beside a model says of it, or None if there is none that can be followed.

    Parameters
    ----------
    model : path-like
        The ONNX file.
    name : str
        What to call the model.

    Returns
    -------
    ModelSpec or None
        The description, without layers.

    Raises
    ------
    ModelError
        If there is such a file and it is damaged.
    """
    path = find_preprocessor(model)
    if path is None:
        return None
    record = _read_json(path)
    try:
        return replace(_spec_of(record), name=name)
    except ModelError as error:
        warnings.warn(f"{path} is not followed: {error}", ModelWarning, stacklevel=3)
        return None


def find_preprocessor(model):
    """Return the path of the file that says how a model's images are made, or None.

    A link is asked where it lies first, then where it leads: caches of hubs keep files elsewhere.
    """
    path = Path(model).absolute()
    folders = [path.parent, path.resolve().parent]
    places = [place for folder in folders for place in (folder, folder.parent)]
    usual, other = FILE_NAMES
    found = [place / usual for place in places if (place / usual).is_file()]
    found = found or [place / other for place in places if _is_of_timm(place / other)]
    return found[0] if found else None


def _is_of_timm(path):
    """Tell whether a network's configuration is one of timm's; others do not concern images."""
    try:
        return path.is_file() and "pretrained_cfg" in _read_json(path)
    except ModelError:
        return False


def read_description(path):
    """Read a description in any of the forms that people have.

    Parameters
    ----------
    path : path-like
        A `preprocessor_config.json`, a configuration of timm, or the JSON of a `ModelSpec`.

    Returns
    -------
    ModelSpec
        What it says.

    Raises
    ------
    ModelError
        If it cannot be read or followed; the message names the file.
    """
    record = _read_json(Path(path))
    try:
        return _spec_of(record)
    except ModelError as error:
        raise ModelError(f"{path} is not followed: {error}") from error


def _spec_of(record):
    """Make a description of a record, by whose words it uses."""
    if "preprocessing" in record:
        return ModelSpec.from_json(json.dumps(record))
    if "crop_pct" in record and "input_size" in record:
        return ModelSpec.from_timm(record)
    return ModelSpec.from_huggingface(record)


def _read_json(path):
    """Return the dictionary in a JSON file of bounded size."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from error
    if len(content) > LARGEST_BYTES:
        raise ModelError(f"{path} is too large for a description: over {LARGEST_BYTES} bytes.")
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"{path} is not JSON, or is damaged ({error}). Repair or remove it, or give "
            "preprocessing=Preprocessing(...) and no such file."
        ) from error
    if not isinstance(record, dict):
        raise ModelError(f"{path} holds {type(record).__name__}, not a dictionary.")
    return record
