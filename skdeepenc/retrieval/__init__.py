"""Rank a gallery: rankers, expansion, localization, sign codes."""

from skdeepenc.retrieval.sign_codes import SignCodes

__all__ = ["SignCodes"]
from skdeepenc.retrieval.expansion import expand_queries
from skdeepenc.retrieval.layer_fusion import LayerFusionRanker
from skdeepenc.retrieval.ranker import NearestNeighborRanker

__all__ = ["LayerFusionRanker", "NearestNeighborRanker", "expand_queries"]
