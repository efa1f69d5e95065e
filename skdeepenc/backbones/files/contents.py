"""Read a model once, and know later whether it is still the same.

What is computed is kept under the digest of what computed it. So the bytes that are digested are
the bytes that are parsed, and whoever reads the file again finds the same digest or an error.
"""

import hashlib
import os
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import onnx
from google.protobuf.message import DecodeError

from skdeepenc.backbones.files.kinds import bytes_missing, foreign_kind
from skdeepenc.backbones.files.weights import (
    embed_short_weights,
    find_weight_files,
    point_to_files,
)
from skdeepenc.exceptions import ModelError

_READ_CHUNK = 1 << 22
# protobuf reads no message that is larger.
_LARGEST_FILE = 2**31 - 1
# A file that changed this recently may change again within one tick of its clock.
_SETTLED_NS = 2 * 10**9
_MAX_FILES = 64
# Digests by path, each with the state of the files that it was made from.
_KNOWN: OrderedDict[str, tuple[dict[Path, Any], str]] = OrderedDict()


class Contents(NamedTuple):
    """A model as it was read.

    Attributes
    ----------
    digest : str
        SHA-256 of the file, and of the weights beside it.
    data : bytes
        The file.
    model : onnx.ModelProto
        The model parsed; weights beside the file are still there, short ones are read.
    folder : Path or None
        Where those are that the model looks for in other files.
    files : dict of Path to tuple
        The state that each of those files was read in.
    name : str
        What to call the model.
    """

    digest: str
    data: bytes
    model: onnx.ModelProto
    folder: Path | None
    files: dict[Path, Any]
    name: str

    def confirm(self):
        """Raise a ModelError if weights beside the file are no longer what was digested."""
        _check_unchanged(self.files, self.name)


def model_name(source):
    """Return what to call a model, given by path or as bytes, in a message."""
    return "the model given as bytes" if isinstance(source, bytes) else Path(source).name


def known_digest(source):
    """Return the digest of a model that this process has read, None if it may have changed.

    Parameters
    ----------
    source : bytes or path-like
        An ONNX file, or its content.

    Returns
    -------
    str or None
        What `read_contents` would find.
    """
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    files, digest = _KNOWN.get(os.path.abspath(source), ({}, None))
    return digest if files and files == _states(files) else None


def read_contents(source, expected=None, data=None):
    """Read a model and its digest in one go.

    Parameters
    ----------
    source : bytes or path-like
        An ONNX file, or its content.
    expected : str, optional
        The digest that it must have.
    data : bytes, optional
        What the file held, where that is known.

    Returns
    -------
    Contents
        The model.

    Raises
    ------
    ModelError
        If it cannot be read, is not ONNX, changes meanwhile, or has another digest.
    """
    name = model_name(source)
    own = _states([] if isinstance(source, bytes) or data else [Path(source)])
    data = _read(source, name) if data is None else data
    model = _parsed(data, name)
    weights = find_weight_files(model, source, name)
    files = _states(weights.values())
    digest = _digest(data, [weights[location] for location in sorted(weights)])
    if expected not in (None, digest):
        raise ModelError(
            f"{name} is another model than before: its SHA-256 is {digest[:12]}..., not "
            f"{expected[:12]}.... Put the old file back, say where it was moved to with "
            "`extractor.relocate(path)`, or fit again."
        )
    folder = point_to_files(model, weights)
    embed_short_weights(model, folder)
    _check_unchanged(own | files, name)
    if own:
        _remember(source, own | files, digest)
    return Contents(digest, data, model, folder, files, name)


def _digest(data, files):
    digest = hashlib.sha256(data)
    for path in files:
        with path.open("rb") as file:
            while chunk := file.read(_READ_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def _check_unchanged(states, name):
    """Raise a ModelError if files are not as they were."""
    if _states(states) != states:
        raise ModelError(f"{name} changed while it was read; try again once it has been written.")


def _remember(source, states, digest):
    """Keep a digest for the next who asks, unless the files are too young to be sure of."""
    if time.time_ns() - max(max(state[3:]) for state in states.values()) < _SETTLED_NS:
        return
    _KNOWN[os.path.abspath(source)] = states, digest
    while len(_KNOWN) > _MAX_FILES:
        _KNOWN.popitem(last=False)


def _states(files):
    """Return of each file what changes with its content, whatever its date says."""
    return {file: _state(file) for file in files}


def _state(file):
    try:
        status = os.stat(file)
    except OSError:
        return None
    numbers = (status.st_dev, status.st_ino, status.st_size)
    return (*numbers, status.st_mtime_ns, status.st_ctime_ns)


def _read(source, name):
    """Return the bytes of a model, or say why there are none."""
    if isinstance(source, bytes):
        return source
    try:
        if os.path.getsize(source) > _LARGEST_FILE:
            raise ModelError(
                f"{name} is larger than 2 GiB, which no reader of ONNX takes in one file. Save it "
                "with its weights beside it: onnx.save_model(..., save_as_external_data=True)."
            )
        return Path(source).read_bytes()
    except OSError as error:
        raise ModelError(f"{name} cannot be read: {error.strerror or error}.") from error


def _parsed(data, name):
    """Parse a model, or say what the file is instead."""
    kind = foreign_kind(data)
    if kind is not None:
        raise ModelError(f"{name} is not an ONNX model: it {kind}.")
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as error:
        missing = bytes_missing(data)
        if missing:
            raise ModelError(
                f"{name} is not an ONNX model, or is cut off: it holds {len(data)} bytes, and "
                f"{missing} more are announced. If it was downloaded, download it again."
            ) from error
        raise ModelError(f"{name} is not an ONNX model, or is damaged: {error}") from error
    if not model.graph.node:
        raise ModelError(f"{name} is not an ONNX model: it holds no graph.")
    # Before version 4 weights had to be listed as inputs too; not every exporter did.
    model.ir_version = max(model.ir_version, 4)
    return model
