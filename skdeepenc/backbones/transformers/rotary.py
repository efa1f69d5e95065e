"""Compute tables of rotary positions again, where they tell by which rule they were made.

A rotary embedding turns pairs of channels by angles that grow with the row or the column of a
patch; an exporter freezes their cosines and sines. Where angles are measured from the middle of the
image, as in DINOv3, the columns of the table are even or odd about its middle, and the image spans
the same angles whatever its size. Where they start at the first patch (EVA-02), nothing in one
table tells whether a larger image spans more of them: such a table is refused.
"""

import numpy as np

_TOLERANCE = 1e-4
_ROUNDS = 20


def resample_rotary(table, grid, new_grid, *, before=0):
    """Return a table of cosines and sines for another grid.

    Parameters
    ----------
    table : array of shape (n_tokens, D)
        One row per token: those of the grid row by row, others before and after them.
    grid : (int, int)
        Rows and columns of the patches that the table was computed for.
    new_grid : (int, int)
        Rows and columns that are wanted.
    before : int, default=0
        Tokens before the patches, whose rows are kept.

    Returns
    -------
    array of shape (n_tokens - rows * columns + new_rows * new_columns, D) or None
        The table for the new grid; None if the angles are not measured from the middle.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.backbones.transformers.rotary import resample_rotary
    >>> angles = np.array([-1.5, -0.5, 0.5, 1.5])[:, None]
    >>> resample_rotary(np.sin(angles), (4, 1), (2, 1)).round(3).ravel().tolist()
    [-0.841, 0.841]
    """
    end = before + grid[0] * grid[1]
    places = table[before:end].reshape(*grid, -1).astype(np.float64)
    axes = _axes(places)
    columns = [_channel(places[..., k], axis, new_grid) for k, axis in enumerate(axes)]
    if any(column is None for column in columns):
        return None
    flat = np.stack(columns, axis=-1).reshape(-1, table.shape[1]).astype(table.dtype)
    return np.concatenate([table[:before], flat, table[end:]])


def _axes(places):
    """Return for each channel the axis that it follows: 0 rows, 1 columns, None neither alone.

    Frequencies fall from channel to channel, and the first may be the same at all places: it goes
    with those that come after it.
    """
    axes: list[int | None] = []
    following: int | None = 0
    for k in reversed(range(places.shape[2])):
        spread = [np.ptp(places[..., k], axis=axis).max() for axis in (0, 1)]
        if max(spread) > _TOLERANCE:
            following = None if min(spread) > _TOLERANCE else int(np.argmax(spread))
        axes.append(following)
    return axes[::-1]


def _channel(values, axis, new_grid):
    """Return one channel on another grid."""
    if axis is None:
        return None
    wave = _wave(values[:, 0] if axis == 0 else values[0], new_grid[axis])
    if wave is None:
        return None
    return np.broadcast_to(np.expand_dims(wave, 1 - axis), new_grid)


def _wave(samples, n_new):
    """Return a cosine or sine about the middle at other places of the same length."""
    n = len(samples)
    places = np.arange(n) - (n - 1) / 2
    even, odd = (np.abs(samples - sign * samples[::-1]).max() < _TOLERANCE for sign in (1, -1))
    if not (even or odd):
        return None
    wave, slope = (np.cos, _falling_sine) if even else (np.sin, np.cos)
    step = _angle(samples, places, wave, slope)
    if np.abs(wave(step * places) - samples).max() > _TOLERANCE:
        return None
    return wave(step * (np.arange(n_new) - (n_new - 1) / 2) * n / n_new)


def _angle(samples, places, wave, slope):
    """Return the angle from one place to the next: a first guess, refined by Gauss and Newton."""
    inner, n = samples[1:-1], len(samples)
    # Samples at the zeros of a cosine are half a turn apart.
    flat = np.abs(samples).max() < _TOLERANCE and wave is np.cos
    twice_cosine = -2 if flat else (samples[2:] + samples[:-2]) @ inner / max(inner @ inner, 1e-12)
    step = np.arccos(np.clip(twice_cosine / 2, -1, 1))
    if wave is np.sin and samples[n // 2 + n % 2] < 0:
        step = -step
    for _ in range(_ROUNDS):
        gradient = places * slope(step * places)
        step += gradient @ (samples - wave(step * places)) / max(gradient @ gradient, 1e-12)
    return step


def _falling_sine(angles):
    return -np.sin(angles)
