"""What PyTorch computes in the watched parts of a network, laid out as maps."""

import contextlib

import numpy as np

from torch_zoo.networks import NETWORKS, build


def random_images(n, height, width, seed=0):
    """Return a batch of noise whose values compress well."""
    levels = np.random.default_rng(seed).integers(-8, 8, size=(n, 3, height, width))
    return (levels / 4).astype(np.float32)


class _AllFoundError(Exception):
    """Everything that was asked for has been seen: a head that fits one size need not run."""


def hooked(module, images, names):
    """Run a module on a batch and return what the named parts of it gave."""
    import torch

    found = {}

    def keep(name):
        def hook(_module, _inputs, output):
            output = output[0] if isinstance(output, tuple) else output
            found[name] = output.detach().numpy().copy()
            if len(found) == len(names):
                raise _AllFoundError

        return hook

    modules = dict(module.named_modules())
    handles = [modules[name].register_forward_hook(keep(name)) for name in names]
    try:
        with torch.no_grad(), contextlib.suppress(_AllFoundError):
            module(torch.from_numpy(images))
    finally:
        for handle in handles:
            handle.remove()
    return found


def as_maps(network, layer, output, size):
    """Lay out a module's output as (batch, rows, columns, channels), and its class token."""
    kind = network.layers[layer]
    if kind == "map":
        return output.transpose(0, 2, 3, 1), None
    if kind == "last":
        return output, None
    rows, columns = (side // network.patch for side in size)
    patches = output[:, network.prefixes :]
    patches = patches.reshape(len(output), rows, columns, output.shape[2])
    return patches, output[:, 0] if network.has_class_token else None


def record(name, *, resamples_itself=False):
    """Return what an export of a network has to give, as arrays by name.

    With `resamples_itself` positions are resampled as the module does, not as timm does.

    "images" and "larger" are batches of the own and of another size; "own_0" the map of the first
    watched part on the first of them, "own_cls_0" its class token, "larger_0" the map on the other;
    "default" is the number of the part that the head reads.
    """
    network = NETWORKS[name]
    parts = list(network.layers)
    own, larger = (network.side, network.side), network.larger
    recorded = {
        "images": random_images(3, *own),
        "larger": random_images(1, *larger, seed=1),
        "parts": np.array(parts),
        "default": np.array(parts.index(network.default)),
        "tolerance": np.array(1e-4),
    }
    for key, batch, size in (("own", "images", own), ("larger", "larger", larger)):
        outputs = hooked(build(name, None if resamples_itself else size), recorded[batch], parts)
        recorded |= laid_out(network, outputs, size, key)
    return recorded


def laid_out(network, outputs, size, key):
    """Return maps and class tokens of every part."""
    found = {}
    for i, part in enumerate(network.layers):
        maps, class_tokens = as_maps(network, part, outputs[part], size)
        found[f"{key}_{i}"] = np.ascontiguousarray(maps, np.float32)
        if class_tokens is not None:
            found[f"{key}_cls_{i}"] = np.ascontiguousarray(class_tokens, np.float32)
    return found
