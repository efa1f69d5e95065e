"""Rank a gallery: rankers, expansion, localization, sign codes."""

from skdeepenc.retrieval.sign_codes import SignCodes

__all__ = ["SignCodes"]
from skdeepenc.retrieval.expansion import expand_queries
from skdeepenc.retrieval.ranker import NearestNeighborRanker

__all__ = ["NearestNeighborRanker", "expand_queries"]
