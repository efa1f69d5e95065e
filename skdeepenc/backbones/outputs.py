"""Turn what a runtime returns for a layer into (batch, rows, columns, channels)."""

from typing import NamedTuple

import numpy as np

from skdeepenc.backbones.running.placed_graph import Exit
from skdeepenc.backbones.transformers.tokens import (
    TokenLayout,
    seen_layout,
    supposed_layout,
    tokens_to_grid,
)
from skdeepenc.exceptions import ModelError


class LayerOutput(NamedTuple):
    """How the output of one layer is read.

    Attributes
    ----------
    name : str
        The layer.
    channels : int or None
        How many channels it must have, if that is known.
    channels_last : bool
        Whether a map has its channels last.
    tokens : TokenLayout or None
        Where the patches stand, as the graph tells.
    seen : (grid, size) or None
        Rows and columns of the map that was laid out as tokens, and the size of the images.
    patch_size : int or None
        Side of a patch, as the description tells.
    """

    name: str
    channels: int | None
    channels_last: bool
    tokens: TokenLayout | None
    seen: tuple[tuple[int, int], tuple[int, int]] | None
    patch_size: int | None

    def to_grid(self, output, batch_shape):
        """Return an output as (batch, rows, columns, channels), float32, and check it.

        Parameters
        ----------
        output : array
            What the runtime returned.
        batch_shape : (int, int, int, int)
            The shape of the images.

        Returns
        -------
        array of shape (batch, rows, columns, channels), float32
            The activations.

        Raises
        ------
        ModelError
            If it has another shape than the layer's.
        """
        grid = self._laid_out(output, batch_shape[2:])
        fits = grid.ndim == 4 and len(grid) == batch_shape[0]
        if not fits or self.channels not in (None, grid.shape[3]):
            raise ModelError(
                f"{self.name!r} gives {grid.shape} for {batch_shape[0]} images and "
                f"{self.channels} channels; layers before it may be free of that size."
            )
        return np.ascontiguousarray(grid, dtype=np.float32)

    def exit(self, tensor, output, image_shape):
        """Say how outputs become maps, for code that does it elsewhere.

        Parameters
        ----------
        tensor : str
            The output's name in the graph.
        output : array
            What the runtime returned for an image.
        image_shape : (int, int)
            The size of the image.

        Returns
        -------
        Exit
            The steps of `to_grid`.
        """
        self.to_grid(output, (len(output), 3, *image_shape))  # raises where it does not fit
        if output.ndim != 3 or output.shape[1] == 1:
            return Exit(tensor, output.ndim, self.channels_last)
        layout = self._token_layout(output.shape[1], image_shape)
        rows, columns = np.floor_divide(image_shape, layout.patch).tolist()
        return Exit(tensor, 3, tokens=(layout.axis, layout.before, rows, columns))

    def _laid_out(self, output, image_shape):
        """Give an output of two, three or four axes rows and columns."""
        if output.ndim == 4:
            return output if self.channels_last else output.transpose(0, 2, 3, 1)
        if output.ndim == 3 and output.shape[1] == 1:
            return output[:, None]
        if output.ndim == 3:
            layout = self._token_layout(output.shape[1], image_shape)
            return tokens_to_grid(output, image_shape, layout)
        return output[:, None, None, :] if output.ndim == 2 else output

    def _token_layout(self, n_tokens, image_shape):
        """Return where the patches stand: as the graph tells, or the description."""
        if self.tokens is None and self.patch_size is None and self.seen is not None:
            return seen_layout(n_tokens, image_shape, *self.seen)
        return self.tokens or supposed_layout(n_tokens, image_shape, self.patch_size)
