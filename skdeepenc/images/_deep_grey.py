"""Greys deeper than 8 bits, and how they become bytes that a person could look at.

Neither files nor arrays say which range their numbers are meant in, so one rule tells it from the
numbers:

1. NaN and the customary marks of missing data (the file's own, -9999 and the like, magnitudes of
   1e30 and more) are not measurements. They are shown black; infinity is white, black below zero.
2. The range runs from the smallest to the largest measurement. Outliers do not count: where those
   two are more than `OUTLYING` times as far apart as the middle 99 % of the values, the range is
   that of the middle 99 %, and a warning says that values are clipped. Integers of up to 16 bits
   are never clipped.
3. A range within 0 and a usual limit (1 for floats; 255; 10, 12, 14 or 16 bits) is shown from 0 to
   that limit. Any other is stretched from its smallest to its largest value.
"""

import warnings

import numpy as np

from skdeepenc.exceptions import ImageWarning

OUTLYING = 3.0
MISSING = (-9999, -99999, -32768, -(2**31))
NO_MEASUREMENT = 1e30
FLOAT_LIMITS = (1, 255, 65535)
INTEGER_LIMITS = (255, 1023, 4095, 16383, 65535)
_SAMPLE = 1 << 20
_STRIP = 1 << 22


def shown_as_bytes(values, missing=None):
    """Return deep greys, or channels of deep colours, as bytes.

    Parameters
    ----------
    values : array of integers or floats
        The numbers, in an array of any shape that is not empty.
    missing : float, optional
        The number by which the file marks missing data.

    Returns
    -------
    array of uint8
        The bytes, in the same shape.
    """
    marks = (*MISSING, *(() if missing is None else (missing,)))
    flat = np.ascontiguousarray(values).reshape(-1)
    low, high = _shown_range(flat, marks)
    if flat.dtype == np.uint16:  # looked up, for 65,536 numbers are soon computed
        every = np.arange(1 << 16, dtype=np.uint16)
        return _between(every, low, high, marks)[values]
    shown = np.empty(flat.shape, dtype=np.uint8)
    for start in range(0, len(flat), _STRIP):
        strip = slice(start, start + _STRIP)
        shown[strip] = _between(flat[strip], low, high, marks)
    return shown.reshape(np.shape(values))


def _between(values, low, high, marks):
    """Return the values as bytes, 0 for `low` and what is missing, 255 for `high`."""
    values = values.astype(np.float64)
    values[_is_missing(values, marks)] = low
    scale = 255 / (high - low) if high > low else 0.0
    return np.rint((np.clip(values, low, high) - low) * scale).astype(np.uint8)


def _is_missing(values, marks):
    """Tell which values measure nothing; infinity does."""
    huge = np.isfinite(values) & (np.abs(values) >= NO_MEASUREMENT)
    return np.isnan(values) | huge | np.isin(values, marks)


def _measured(values, marks):
    """Return the values that were measured, in double precision."""
    values = values.astype(np.float64)
    return values[~_is_missing(values, marks) & np.isfinite(values)]


def _shown_range(flat, marks):
    """Return the values that become black and white."""
    low, high = _extremes(flat, marks)
    whole = flat.dtype.kind in "iu" and low >= 0 and high <= INTEGER_LIMITS[-1]
    if not whole:
        low, high = _without_outliers(flat, marks, low, high)
    limits = INTEGER_LIMITS if flat.dtype.kind in "iu" else FLOAT_LIMITS
    limit = next((limit for limit in limits if low >= 0 and high <= limit), None)
    return (low, high) if limit is None else (0.0, float(limit))


def _extremes(flat, marks):
    """Return the smallest and the largest measurement; zeros where nothing was measured."""
    if flat.dtype.kind == "u":  # holds no mark
        return float(flat.min()), float(flat.max())
    extremes = []
    for start in range(0, len(flat), _STRIP):
        measured = _measured(flat[start : start + _STRIP], marks)
        extremes += [measured.min(), measured.max()] if len(measured) else []
    return (float(min(extremes)), float(max(extremes))) if extremes else (0.0, 0.0)


def _without_outliers(flat, marks, low, high):
    """Return the range of the middle 99 % where outliers make the whole one much larger."""
    sample = _measured(flat[:: max(len(flat) // _SAMPLE, 1)], marks)
    if not len(sample):
        return low, high
    middle = np.percentile(sample, [0.5, 99.5])
    if high - low <= OUTLYING * (middle[1] - middle[0]):
        return low, high
    warnings.warn(
        "Some values of a deep greyscale image lie far outside all others; they are clipped.",
        ImageWarning,
        stacklevel=2,
    )
    return float(middle[0]), float(middle[1])
