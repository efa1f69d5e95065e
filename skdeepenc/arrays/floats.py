"""The float types that the mathematics runs in."""

import numpy as np
from numpy.typing import ArrayLike

from skdeepenc._typing import Floats


def as_floats(x: ArrayLike) -> Floats:
    """Return `x` as an array of float32 or float64; float16 is computed in float32."""
    x = np.asarray(x)
    if x.dtype in (np.float32, np.float64):
        return x
    return x.astype(np.float32 if x.dtype == np.float16 else np.float64)
