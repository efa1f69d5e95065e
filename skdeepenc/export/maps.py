"""The feature maps of a batch of images in a graph, and the inputs that they come in by."""

import numpy as np

from skdeepenc.export.tensor import Tensor
from skdeepenc.export.writer import GraphWriter

__all__ = ["MapInputs", "Maps", "input_name"]


class Maps:
    """What an encoder's converter is given.

    Parameters
    ----------
    layers : dict of str to list of Tensor
        The maps (N, H, W, D) of each layer in float32, one for each scale.
    approximate : bool, default=False
        Whether methods without an exact graph may be written approximately.
    """

    def __init__(self, layers: dict[str, list[Tensor]], approximate: bool = False) -> None:
        self.layers, self.approximate = layers, approximate

    def of(self, encoder):
        """Return what an encoder reads: for each of its layers a list of the maps of its scales."""
        return [
            [self.layers[layer][scale] for scale in scales_of(encoder)]
            for layer in encoder.layers_in_
        ]


class MapInputs(Maps):
    """Maps that are inputs of the graph, declared when an encoder asks for them.

    Parameters
    ----------
    g : GraphWriter
        The graph.
    approximate : bool, default=False
        See `Maps`.
    """

    def __init__(self, g: GraphWriter, approximate: bool = False) -> None:
        super().__init__({}, approximate)
        self._g = g
        self._declared: dict[str, Tensor] = {}

    def of(self, encoder):
        """Return what an encoder reads, each layer and scale an input."""
        channels = zip(encoder.layers_in_, encoder._channels_in, strict=True)
        return [
            [self._input(input_name(layer, s, encoder.n_scales_in_), n) for s in scales_of(encoder)]
            for layer, n in channels
        ]

    def _input(self, name, n_channels):
        if name not in self._declared:
            sides = ["N", f"{name} height", f"{name} width", n_channels]
            self._declared[name] = self._g.input(name, np.float32, sides)
        return self._declared[name]


def input_name(layer, scale, n_scales):
    """Return the name of the input of a layer's scale: the layer's own if there is one scale."""
    return layer if n_scales == 1 else f"{layer}/{scale}"


def scales_of(encoder):
    """Return the numbers, from 0, of the scales that an encoder uses."""
    every = np.arange(encoder.n_scales_in_)
    return every.tolist() if encoder.scales is None else every[list(encoder.scales)].tolist()
