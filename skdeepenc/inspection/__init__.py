"""Displays: what people would rather look at than read."""

from skdeepenc.inspection.ranking import RankingDisplay

__all__ = ["RankingDisplay"]
