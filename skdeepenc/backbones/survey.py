"""What kind of network a model is, and which of its layers recipes are made of.

Methods ask for different layers: the deepest map of convolutions, before it is pooled, and the one
before that; or the patches and the class token of a transformer. The graph tells which tensors
those are.
"""

from dataclasses import dataclass

from skdeepenc.backbones.backbone import Backbone
from skdeepenc.backbones.transformers.tokens import CLASS_TOKEN
from skdeepenc.exceptions import ModelError
from skdeepenc.images.sizes import both_sides

__all__ = ["Survey", "survey"]

# Steps that hand on what a layer found, or less of it.
_PASSING = {"AveragePool", "Cast", "DequantizeLinear", "Dropout", "Identity", "MaxPool"}
_LARGER = 2


@dataclass(frozen=True)
class Survey:
    """The layers of a network that recipes are made of.

    Attributes
    ----------
    kind : {"convolutional", "fully connected", "transformer"}
        Whether descriptors come from convolutions alone; from fully connected layers behind them,
        the scores of classes aside; or from the tokens of a transformer.
    layer : str
        The layer that the head reads.
    class_token : str or None
        The class token of that layer.
    map : str or None
        The deepest map of convolutions, before it is pooled; None for transformers.
    before : str or None
        The map before it that ends a block of the network as it does, on the same grid; the same
        map where there is none.
    earlier : str or None
        The same on whatever grid.
    n_channels : int or None
        Channels of the deepest map.
    input_size : int
        The shorter side of the images that the network takes, in pixels.
    takes_larger : bool
        Whether it runs on images of twice that.
    """

    kind: str
    layer: str
    class_token: str | None
    map: str | None
    before: str | None
    earlier: str | None
    n_channels: int | None
    input_size: int
    takes_larger: bool


def survey(model):
    """Say what kind of network a model is.

    Parameters
    ----------
    model : str, path-like or bytes
        What `Backbone` takes.

    Returns
    -------
    Survey
        Its kind and its layers.

    Examples
    --------
    >>> from skdeepenc.backbones.survey import survey
    >>> found = survey("embedded")
    >>> found.kind, found.layer, found.before, found.map
    ('fully connected', 'fc7', 'conv4', 'conv5')
    """
    backbone = Backbone(model)
    layers = list(backbone.layer_info)
    names = [layer.name for layer in layers]
    deepest = layers[names.index(backbone.layers[-1])]
    token = deepest.name + CLASS_TOKEN
    deepest_map = before = earlier = None
    if deepest.kind != "tokens":
        deepest_map, before, earlier = _last_maps(layers[: layers.index(deepest) + 1])
    return Survey(
        kind=_kind(deepest),
        layer=deepest.name,
        class_token=token if token in names else None,
        map=deepest_map and deepest_map.name,
        before=before and before.name,
        earlier=earlier and earlier.name,
        n_channels=deepest_map and deepest_map.channels,
        input_size=min(both_sides(backbone.spec.input_size)),
        takes_larger=_takes_larger(backbone),
    )


def _kind(deepest):
    if deepest.kind == "tokens":
        return "transformer"
    return "convolutional" if _is_map(deepest) else "fully connected"


def _last_maps(layers):
    """Return the last map that a layer made rather than passed on, and those before it.

    The first of these is on the same grid, the other on whatever grid it is.
    """
    maps = [layer for layer in layers if _is_map(layer)]
    made = [layer for layer in maps if layer.op not in _PASSING] or maps
    if not made:
        return None, None, None
    *others, last = made
    # Narrower ones are inside of a block.
    alike = [
        layer for layer in others if layer.op == last.op and 2 * layer.channels >= last.channels
    ]
    on_its_grid = [layer for layer in alike if layer.grid == last.grid]
    return last, (on_its_grid or [last])[-1], (alike or [last])[-1]


def _is_map(layer):
    return layer.kind == "map" and layer.grid is not None and max(layer.grid) > 1


def _takes_larger(backbone):
    height, width = both_sides(backbone.spec.input_size)
    try:
        backbone.open(_LARGER * height, _LARGER * width)
    except ModelError:
        return False
    return True
