"""The description of a model inside its ONNX file: read, written, and saved.

A file that describes itself needs no one to remember how its images are made.
"""

from pathlib import Path

import onnx

from skdeepenc._aside import written_aside
from skdeepenc.backbones.describing.spec import ModelSpec
from skdeepenc.backbones.files.check import check_model
from skdeepenc.backbones.files.contents import read_contents
from skdeepenc.exceptions import ModelError

#: The key of an ONNX file's metadata under which the record lies, as JSON.
METADATA_KEY = "skdeepenc"


def read_spec(model: onnx.ModelProto) -> ModelSpec | None:
    """Return the record in a model's metadata, or None if it has none.

    Parameters
    ----------
    model : onnx.ModelProto
        A parsed model.

    Returns
    -------
    ModelSpec or None
        What the file says of itself.

    Examples
    --------
    >>> import onnx
    >>> from skdeepenc.backbones import read_spec
    >>> read_spec(onnx.ModelProto()) is None
    True
    """
    for entry in model.metadata_props:
        if entry.key == METADATA_KEY:
            return ModelSpec.from_json(entry.value)
    return None


def write_spec(model: onnx.ModelProto, spec: ModelSpec) -> None:
    """Put the record into a model's metadata, in place, so that the file describes itself.

    Parameters
    ----------
    model : onnx.ModelProto
        A parsed model; save it afterwards with `onnx.save`.
    spec : ModelSpec
        What to say of it.

    Examples
    --------
    >>> import onnx
    >>> from skdeepenc.backbones import ModelSpec, read_spec, write_spec
    >>> model = onnx.ModelProto()
    >>> write_spec(model, ModelSpec("mine", ("conv5",), 227))
    >>> read_spec(model).layers
    ('conv5',)
    """
    others = [entry for entry in model.metadata_props if entry.key != METADATA_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(others)
    model.metadata_props.add(key=METADATA_KEY, value=spec.to_json())


def describe_file(path, spec):
    """Put the record into an ONNX file; what the file was before, or is after, is whole.

    Weights beside the file stay where they are. A link, as in the cache of a hub, becomes a file;
    what it pointed to is left alone.

    Parameters
    ----------
    path : path-like
        The ONNX file.
    spec : ModelSpec
        What to say of it.

    Returns
    -------
    before, after : str
        Digests of the model, which other caches than the described one's know.

    Raises
    ------
    ModelError
        If the file is not a model, or cannot be written.
    """
    contents = read_contents(path)
    check_model(contents.model, contents.name)
    model = onnx.load_model_from_string(contents.data)
    write_spec(model, spec)
    try:
        _rewrite(Path(path), model.SerializeToString())
    except OSError as error:
        raise ModelError(f"{path} cannot be written: {error.strerror or error}.") from error
    return contents.digest, read_contents(path).digest


def _rewrite(path, content):
    """Put other content into a file of which there may be no other copy, with its permissions."""
    with written_aside(path, durably=True) as folder:
        aside = folder / path.name
        aside.write_bytes(content)
        aside.chmod(path.stat().st_mode & 0o777)
