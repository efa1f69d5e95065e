"""Which layers are asked for: those of the network, and "rgb", the pixels, among them."""

from numbers import Integral

from skdeepenc.extraction.recipe import RGB


def network_layers(asked):
    """Return the layers that the network is asked for, as a list; None stays None.

    Raises
    ------
    ValueError
        If there is none: the pixels alone have no grid.
    """
    if asked is None:
        return None
    layers = [layer for layer in _as_list(asked) if layer != RGB]
    if not layers:
        raise ValueError('layers="rgb" needs another layer beside it, whose grid it follows.')
    return layers


def layers_in_order(asked, found):
    """Return the layers in the order asked for, those of the network by the names found."""
    if asked is None:
        return tuple(found)
    names = iter(found)
    return tuple(dict.fromkeys(layer if layer == RGB else next(names) for layer in _as_list(asked)))


def _as_list(asked):
    return [asked] if isinstance(asked, str | Integral) else list(asked)
