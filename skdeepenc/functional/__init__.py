"""The papers' mathematics: pure functions on arrays, each file opening with its equation.

What no paper describes is in `skdeepenc.arrays`.
"""

from skdeepenc.functional.cross_layer import cross_layer, segment_cross_layer
from skdeepenc.functional.fisher import fisher_vector
from skdeepenc.functional.gmm import fit_diagonal_mixture, mixture_from_labels, responsibilities
from skdeepenc.functional.grid_matching import match_grids
from skdeepenc.functional.ncut import normalized_cut
from skdeepenc.functional.normalize import l2_normalize, power_normalize
from skdeepenc.functional.pca import fit_pca, project
from skdeepenc.functional.pooling import crow, mac, spoc
from skdeepenc.functional.power_means import gem, lp
from skdeepenc.functional.regions import rmac, rmac_regions
from skdeepenc.functional.similarity import map_similarity
from skdeepenc.functional.vlad import soft_assign, vlad, vlad_of_segments

__all__ = [
    "cross_layer",
    "crow",
    "fisher_vector",
    "fit_diagonal_mixture",
    "fit_pca",
    "gem",
    "l2_normalize",
    "lp",
    "mac",
    "map_similarity",
    "match_grids",
    "mixture_from_labels",
    "normalized_cut",
    "power_normalize",
    "project",
    "responsibilities",
    "rmac",
    "rmac_regions",
    "segment_cross_layer",
    "soft_assign",
    "spoc",
    "vlad",
    "vlad_of_segments",
]
