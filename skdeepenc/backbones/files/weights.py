"""Weights that lie in files beside a model: where they are, whether they are whole.

Caches of model hubs keep files under the names of their digests, and links to them under their own:
weights lie beside the link, or beside what it leads to. Nowhere else is looked.
"""

import math
import os
from pathlib import Path
from typing import NamedTuple

from onnx import TensorProto, helper

from skdeepenc.backbones.files.kinds import foreign_kind
from skdeepenc.backbones.graphs.graph import SHORT_CONSTANT
from skdeepenc.exceptions import ModelError

_BEGINNING = 64


class _Place(NamedTuple):
    """Where the values of a tensor lie: in which file, from which byte, how many."""

    location: str
    start: int
    length: int


def _place(tensor, name):
    """Read where the values of a tensor lie."""
    said = {entry.key: entry.value for entry in tensor.external_data}
    try:
        start, length = int(said.get("offset", 0)), int(said.get("length", _n_bytes(tensor)))
    except ValueError:
        start = length = -1
    if min(start, length) < 0 or not said.get("location"):
        raise ModelError(f"{name} is damaged: where the weight {tensor.name!r} lies is {said}.")
    return _Place(said["location"], start, length)


def _n_bytes(tensor):
    """Return how many bytes the values of a tensor take."""
    return math.prod(tensor.dims) * helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize


def external_tensors(model):
    """Return the weights of a model whose values lie in other files."""
    return [tensor for tensor in model.graph.initializer if is_external(tensor)]


def is_external(tensor):
    """Tell whether the values of a tensor lie in another file."""
    return tensor.data_location == TensorProto.EXTERNAL


def find_weight_files(model, source, name):
    """Find the files that hold weights of a model.

    Parameters
    ----------
    model : onnx.ModelProto
        A parsed model.
    source : bytes or path-like
        Its content, or where it lies.
    name : str
        What to call it.

    Returns
    -------
    dict of str to Path
        Where the files really are, by what the model calls them.

    Raises
    ------
    ModelError
        If a file is missing, too short, or outside the folder of the model.
    """
    tensors = external_tensors(model)
    if tensors and isinstance(source, bytes):
        raise ModelError(f"{name} keeps weights in other files; give its path instead of bytes.")
    files: dict[str, Path] = {}
    for tensor in tensors:
        place = _place(tensor, name)
        if place.location not in files:
            files[place.location] = _find(place.location, Path(source), name)
        _check_end(place, files[place.location], name)
    return files


def _find(location, source, name):
    """Return where a file of weights really is: beside the model, or beside what it links to."""
    target = source.resolve()
    folders = (source.parent.resolve(), target.parent)
    for folder in folders:
        # Resolved, so that neither ".." nor a link leads out.
        file = (folder / location).resolve()
        if file.is_file():
            if any(file.is_relative_to(allowed) for allowed in folders):
                return file
            raise ModelError(f"{name} keeps weights outside its own folder ({location!r}).")
    if Path(location).is_absolute() or ".." in Path(location).parts:
        raise ModelError(f"{name} keeps weights outside its own folder ({location!r}).")
    raise ModelError(f"{name} keeps weights in {location!r}, which is missing beside it.")


def _check_end(place, file, name):
    """Refuse a file that ends before a tensor does."""
    size = file.stat().st_size
    if place.start + place.length <= size:
        return
    with file.open("rb") as opened:
        kind = foreign_kind(opened.read(_BEGINNING))
    reason = kind or f"is cut off: it holds {size} of {place.start + place.length} bytes or more"
    raise ModelError(f"{name} keeps weights in {place.location!r}, which {reason}.")


def point_to_files(model, files):
    """Make a model name its files of weights by where they are below one folder.

    Parameters
    ----------
    model : onnx.ModelProto
        A parsed model; changed in place.
    files : dict of str to Path
        What `find_weight_files` found.

    Returns
    -------
    Path or None
        The folder; None where no weight lies in a file.
    """
    tensors = external_tensors(model)
    if not tensors:
        return None
    folder = Path(os.path.commonpath([file.parent for file in files.values()]))
    for tensor in tensors:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = files[entry.value].relative_to(folder).as_posix()
    return folder


def embed_short_weights(model, folder):
    """Read short weights that lie beside the file: they may be shapes, which surgery looks at."""
    for tensor in external_tensors(model):
        if math.prod(tensor.dims) <= SHORT_CONSTANT:
            place = _place(tensor, "the model")
            with (folder / place.location).open("rb") as file:
                file.seek(place.start)
                tensor.raw_data = file.read(place.length)
            tensor.data_location = TensorProto.DEFAULT
            del tensor.external_data[:]
