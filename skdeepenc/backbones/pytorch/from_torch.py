"""Turn a module of PyTorch into a model that is known to give the same numbers.

Exporters freeze what they saw once: a batch of one, the sides of an image. So the freest export is
tried first, and what PyTorch computes on random images decides whether it is kept.
"""

from collections.abc import Sequence
from typing import Any

from skdeepenc._optional import require
from skdeepenc.backbones.describing.metadata import write_spec
from skdeepenc.backbones.describing.spec import ModelSpec
from skdeepenc.backbones.pytorch.exporters import EXPORTERS, Freedom
from skdeepenc.backbones.pytorch.observed_module import (
    evaluated,
    observe,
    part_names,
    random_images,
)
from skdeepenc.backbones.running.session import run_apart
from skdeepenc.exceptions import ModelError
from skdeepenc.images.sizes import both_sides

# A protobuf, which an ONNX file is, ends at 2 GiB; the graph itself needs some of it.
LARGEST_WEIGHTS = 2**31 - 2**24
# What is added to the sides to see whether they are free: multiples of the usual patches.
_LONGER_BY = ((64, 32), (28, 14))
# Differences of this share of a layer's largest value are rounding.
_TOLERANCES = {"torch.float32": 1e-3, "torch.float16": 2e-2}


def from_torch(
    module: Any,
    input_size: int | tuple[int, int],
    *,
    layers: Sequence[str] | None = None,
    spec: ModelSpec | None = None,
) -> bytes:
    """Export a module of PyTorch as an ONNX model, checked against the module itself.

    The export takes any number of images, and images of any size, where the module allows it;
    otherwise it is fixed to what the module takes.

    Parameters
    ----------
    module : torch.nn.Module
        A network that takes images of shape (batch, channels, height, width). It is exported in
        evaluation mode, and left in the mode in which it was.
    input_size : int or (int, int)
        Side, or height and width, of the images that the module was made for.
    layers : list of str, optional
        Modules inside it, as `module.named_modules` calls them. The tensor that each gives (the
        first one of several, and the last time it runs) bears its name in the exported graph.
    spec : ModelSpec, optional
        What is written into the model's metadata, so that it describes itself.

    Returns
    -------
    bytes
        The ONNX model: give it to `Backbone` or `ActivationExtractor`, or write it to a file.

    Raises
    ------
    MissingDependencyError
        If PyTorch is not installed.
    LayerNotFoundError
        If a name in `layers` is not a module.
    ModelError
        If the weights are too large for one file or of another type than float32 or float16, if
        the module does not run on images of `input_size`, or if no exporter gives a graph that
        computes what the module does: then the message says which layer differs, and by how much.

    Examples
    --------
    >>> from skdeepenc.backbones import Backbone, from_torch
    >>> import torch  # doctest: +SKIP
    >>> module = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU())  # doctest: +SKIP
    >>> model = from_torch(module, 32, layers=["1"])  # doctest: +SKIP
    >>> Backbone(model, layers="1").layers  # doctest: +SKIP
    ('1',)
    """
    torch = require("torch", extra="torch", purpose="Exporting a module of PyTorch")
    names = part_names(module, layers or ())
    _check_weights(module)
    _check_types(module)
    with evaluated(module), torch.no_grad():
        trials = _trials(module, names, both_sides(input_size))
        model = _export_as_free_as_possible(module, names, trials)
    outputs = [value for value in model.graph.output if value.name not in names]
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    if spec is not None:
        write_spec(model, spec)
    return model.SerializeToString()


def _check_weights(module):
    """Refuse what does not fit into one file, before an exporter fills the memory with it."""
    tensors = (*module.parameters(), *module.buffers())
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    if size > LARGEST_WEIGHTS:
        raise ModelError(
            f"The weights of the module take {size / 1e9:.1f} GB, and an ONNX model in one piece "
            "holds 2 GB. Export it to a file with torch.onnx.export(..., dynamo=True, "
            "external_data=True) and give its path, or export module.half()."
        )


def _check_types(module):
    """Refuse weights of types in which onnxruntime does not convolve on a processor."""
    types = {str(weight.dtype) for weight in module.parameters() if weight.is_floating_point()}
    if not types <= set(_TOLERANCES):
        raise ModelError(
            f"The weights of the module are {', '.join(sorted(types))}; float32 and float16 can be "
            "exported. Give module.float()."
        )


def _trials(module, names, size):
    """Return the batches that an export has to take, by what is free in it, freest first."""
    _check_size(module, names, size)
    larger = [(size[0] + more, size[1] + wider) for more, wider in _LONGER_BY]
    other_size = next((s for s in larger if _takes(module, random_images(module, 1, s))), None)
    takes_batches = _takes(module, random_images(module, 3, size))
    trials = {}
    for freedom in Freedom.all(batch=takes_batches, sides=other_size is not None):
        n_images = 3 if freedom.batch else 1
        sizes = [size, other_size] if freedom.sides else [size]
        trials[freedom] = [random_images(module, n_images, s) for s in sizes]
    return trials


def _check_size(module, names, size):
    """Raise a ModelError unless a module runs on one image of its own size."""
    try:
        observe(module, random_images(module, 1, size), names)
    except ModelError:
        raise
    except Exception as error:  # modules raise anything
        raise ModelError(
            f"{type(module).__name__} does not run on images of {size[0]} x {size[1]}: "
            f"{_brief(error)}"
        ) from error


def _brief(error):
    """Return the first line of what an error says; those of PyTorch fill pages."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _takes(module, images):
    """Tell whether a module runs on a batch."""
    try:
        observe(module, images, ())
    except Exception:  # whatever a module says to what it does not take
        return False
    return True


def _export_as_free_as_possible(module, names, trials):
    """Return the first export that computes what the module does."""
    failures = []
    for freedom, batches in trials.items():
        for exporter in EXPORTERS:
            try:
                model = exporter(module, names, batches[0], freedom)
                _check(model, module, names, batches)
            except Exception as error:  # exporters raise anything
                failures.append(error)
            else:
                return model
    differing = [error for error in failures if isinstance(error, ModelError)]
    reason = (differing or failures)[-1]
    raise ModelError(
        f"PyTorch cannot export {type(module).__name__} to the same numbers: {_brief(reason)}"
    ) from reason


def _check(model, module, names, batches):
    """Raise a ModelError unless a graph gives what the module gives on random batches."""
    graph = model.SerializeToString()
    for images in batches:
        expected = observe(module, images, names)
        tolerance = _TOLERANCES[str(images.dtype)]
        found = run_apart(graph, images.cpu().numpy())
        for (name, right), value in zip(expected.items(), found, strict=True):
            _compare(name, value, right.cpu().numpy(), tolerance)


def _compare(name, found, expected, tolerance):
    if found.shape != expected.shape:
        raise ModelError(f"{name!r} has the shape {found.shape} instead of {expected.shape}.")
    scale = abs(expected).max(initial=0)
    difference = abs(found.astype(float) - expected).max(initial=0)
    if not difference <= tolerance * scale:
        raise ModelError(
            f"{name!r} differs by {difference:.2g} from what the module gives, up to {scale:.2g}."
        )
