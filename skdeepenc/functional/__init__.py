"""The methods' mathematics: pure functions on arrays."""

from skdeepenc.functional.fisher import fisher_vector
from skdeepenc.functional.gmm import fit_diagonal_mixture, mixture_from_labels, responsibilities
from skdeepenc.functional.normalize import l2_normalize, power_normalize
from skdeepenc.functional.segments import segment_max, segment_mean, segment_sum

__all__ = [
    "fisher_vector",
    "fit_diagonal_mixture",
    "l2_normalize",
    "mixture_from_labels",
    "power_normalize",
    "responsibilities",
    "segment_max",
    "segment_mean",
    "segment_sum",
]
