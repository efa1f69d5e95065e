"""Watch a module of PyTorch while it runs: what it returns, and what parts of it give."""

import difflib
from collections.abc import Mapping
from contextlib import contextmanager

from skdeepenc.exceptions import LayerNotFoundError, ModelError


def part_names(module, layers):
    """Return the names of the parts to watch, each of which must be a module's.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    layers : str or sequence of str
        Names.

    Returns
    -------
    tuple of str
        The names, without repetitions.

    Raises
    ------
    LayerNotFoundError
        If one is none; the message gives the nearest.
    """
    known = [name for name, _ in module.named_modules() if name]
    wanted = tuple(dict.fromkeys([layers] if isinstance(layers, str) else layers))
    for name in wanted:
        if name not in known:
            nearest = difflib.get_close_matches(str(name), known, 3, 0.4) or known[-3:]
            raise LayerNotFoundError(
                f"{name!r} is not a module of {type(module).__name__}; nearest: "
                f"{', '.join(nearest)}. List them all with `dict(module.named_modules())`."
            )
    return wanted


@contextmanager
def evaluated(module):
    """Put a module into evaluation mode for a while, each part of it back afterwards."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:  # `part.train()` would take the parts inside along
            part.training = True


def observe(module, images, names):
    """Run a module on a batch and return what the named parts and the module itself give.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    images : torch.Tensor of shape (batch, channels, height, width)
        The batch.
    names : sequence of str
        Parts of it.

    Returns
    -------
    dict of str to torch.Tensor
        The parts' tensors, then those that the module returns: "output", "output_0" ..., or the
        keys of a dictionary.

    Raises
    ------
    ModelError
        If a part did not run, or gave no tensor.
    """
    seen = {}

    def keep(name):
        def hook(_part, _inputs, output):
            # A copy: the part that comes next may write into it.
            seen[name] = next(iter(_tensors(output, name).values())).clone()

        return hook

    parts = dict(module.named_modules())
    handles = [parts[name].register_forward_hook(keep(name)) for name in names]
    try:
        outputs = _tensors(module(images), "output")
    finally:
        for handle in handles:
            handle.remove()
    silent = [name for name in names if name not in seen]
    if silent:
        raise ModelError(f"{', '.join(map(repr, silent))} does not run when images are given.")
    return {**{name: seen[name] for name in names}, **_named_apart(outputs, names)}


def _tensors(output, name):
    """Return the tensors in what a module gave, by name."""
    if isinstance(output, Mapping):
        named = dict(output)
    elif isinstance(output, tuple | list):
        named = {f"{name}_{i}": value for i, value in enumerate(output)}
    else:
        named = {name: output}
    tensors = {key: value for key, value in named.items() if hasattr(value, "numel")}
    if not tensors:
        raise ModelError(f"{name!r} gives {type(output).__name__}, not a tensor.")
    return tensors


def _named_apart(outputs, names):
    """Rename outputs that are called like a part."""
    return {f"{key}_of_module" if key in names else key: value for key, value in outputs.items()}


def random_images(module, n_images, size):
    """Return seeded noise of the type, and on the device, of a module's weights."""
    import torch

    weight = next((w for w in module.parameters() if w.is_floating_point()), torch.zeros(()))
    shape = (n_images, _n_channels(module), *size)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    return noise.to(weight.device, weight.dtype)


def _n_channels(module):
    """Return how many channels the first convolution takes; 3 if colours do not come so."""
    import torch

    first = next((p for p in module.modules() if isinstance(p, torch.nn.Conv2d)), None)
    return 1 if first is not None and first.in_channels == 1 else 3
