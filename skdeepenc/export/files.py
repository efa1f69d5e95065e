"""Files of a graph that appear whole or not at all: the graph, weights beside it, a description.

Weights of more than 2 GB do not fit into the file of a graph, which is a protocol buffer.
"""

from contextlib import contextmanager, suppress
from pathlib import Path

import onnx

from skdeepenc._aside import written_aside
from skdeepenc.exceptions import ExportError

__all__ = [
    "check_target",
    "description_path",
    "graph_written_aside",
    "has_weights_beside",
    "write_model",
]

_MOST_BYTES = 2_000_000_000  # what is left of 2 GiB is for the graph itself
_SMALLEST_BESIDE = 1024  # smaller constants stay in the graph, which shapes are inferred from


def check_target(path, overwrite):
    """Return a path to write to, or say why that is not possible."""
    path = Path(path)
    try:
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            path.lstat()
    except (OSError, ValueError) as error:
        raise ExportError(f"{str(path)!r} cannot be the name of a file: {error}.") from error
    if not path.parent.is_dir():
        raise ExportError(f"{path.parent} is not a folder: make it first, or name another one.")
    if path.is_dir():
        raise ExportError(f"{path} is a folder: name a file in it, such as {path / 'model.onnx'}.")
    there = [file for file in (path, weights_path(path), description_path(path)) if file.exists()]
    if there and not overwrite:
        raise ExportError(f"{there[0]} exists: name another file, or give overwrite=True.")
    return path


def weights_path(path):
    """Return where weights lie that do not fit into the graph."""
    return path.with_name(f"{path.name}.data")


def description_path(path):
    """Return where the description of a graph lies."""
    return path.with_name(f"{path.name}.json")


def has_weights_beside(model, external_data):
    """Tell whether weights go beside the graph."""
    if external_data not in ("auto", True, False):
        raise ExportError(f'external_data={external_data!r} is not "auto", True or False.')
    size = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    if external_data == "auto":
        return size > _MOST_BYTES
    if not external_data and size > _MOST_BYTES:
        raise ExportError(
            f"The weights take {size / 1e9:.1f} GB, and no ONNX file holds more than 2: give "
            'external_data="auto".'
        )
    return external_data


@contextmanager
def graph_written_aside(path):
    """Yield a folder whose files go beside `path` if all goes well, the graph last."""
    try:
        with written_aside(path) as folder:
            yield folder
    except OSError as error:
        raise ExportError(
            f"{path} cannot be written ({error}): nothing was left behind."
        ) from error


def write_model(model, path, beside):
    """Write a model into a file, its weights into ``<name>.data`` where they go beside it."""
    if beside:
        onnx.save_model(
            model,
            path,
            save_as_external_data=True,
            location=weights_path(path).name,
            size_threshold=_SMALLEST_BESIDE,
        )
    else:
        path.write_bytes(model.SerializeToString())
