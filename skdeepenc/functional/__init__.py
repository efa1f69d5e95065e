"""The methods' mathematics: pure functions on arrays."""

from skdeepenc.functional.normalize import l2_normalize, power_normalize
from skdeepenc.functional.segments import segment_max, segment_mean, segment_sum

__all__ = [
    "l2_normalize",
    "power_normalize",
    "segment_max",
    "segment_mean",
    "segment_sum",
]
