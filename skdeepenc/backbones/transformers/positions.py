"""Resample a vision transformer's position embeddings to another grid of patches.

A transformer learns one vector for each place of the grid it was trained on. On larger images there
are more places, and their vectors lie between the learned ones: bicubic interpolation, which
averages where the grid shrinks, is what the models' authors use. It is separable and linear, so it
is two small matrices, the same that Pillow and PyTorch (``antialias=True``) apply to images.
"""

import numpy as np

# Keys' cubic: it reaches two places to either side.
_REACH = 2.0


def resample_positions(table, grid, new_grid, *, before=0):
    """Resample learned positions to another grid.

    Parameters
    ----------
    table : array of shape (n_tokens, D)
        One vector a token: those of the grid row by row, others before and after them.
    grid : (int, int)
        Rows and columns of the patches that the table was learned for.
    new_grid : (int, int)
        Rows and columns that are wanted.
    before : int, default=0
        Tokens before the patches, such as a class token; their vectors are kept, as are those of
        tokens after the patches.

    Returns
    -------
    array of shape (n_tokens - rows * columns + new_rows * new_columns, D)
        The vectors of the new grid, in the type of the table.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.backbones.transformers.positions import resample_positions
    >>> resample_positions(np.ones((5, 8)), (2, 2), (3, 4), before=1).shape
    (13, 8)
    """
    if tuple(grid) == tuple(new_grid):
        return table
    end = before + grid[0] * grid[1]
    places = table[before:end].reshape(*grid, -1).astype(np.float64)
    by_row, by_column = (cubic_weights(*sizes) for sizes in zip(grid, new_grid, strict=True))
    resampled = np.einsum("ir,rcd,jc->ijd", by_row, places, by_column, optimize=True)
    flat = resampled.reshape(-1, table.shape[1]).astype(table.dtype)
    return np.concatenate([table[:before], flat, table[end:]])


def cubic_weights(n, n_new):
    """Return what each of `n` places gives to each of `n_new` over the same length.

    Parameters
    ----------
    n, n_new : int
        Numbers of places.

    Returns
    -------
    array of shape (n_new, n)
        Rows that sum to one.

    Examples
    --------
    >>> from skdeepenc.backbones.transformers.positions import cubic_weights
    >>> cubic_weights(2, 3).round(3).tolist()
    [[1.066, -0.066], [0.5, 0.5], [-0.066, 1.066]]
    """
    step = n / n_new
    stretch = max(step, 1.0)  # where the grid shrinks, the kernel covers all that it averages
    centers = step * (np.arange(n_new)[:, None] + 0.5)
    distances = np.abs(np.arange(n) + 0.5 - centers) / stretch
    weights = np.where(distances < _REACH, _keys_cubic(distances), 0.0)
    return weights / weights.sum(axis=1, keepdims=True)


def _keys_cubic(x):
    """Return Keys' cubic convolution kernel with a = -1/2 at distances `x` of at most two."""
    near = (1.5 * x - 2.5) * x**2 + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, far)
