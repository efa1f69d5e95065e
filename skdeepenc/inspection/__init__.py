"""Displays: what people would rather look at than read."""

from skdeepenc.inspection.cluster_map import ClusterMapDisplay
from skdeepenc.inspection.confidence_map import ConfidenceMapDisplay
from skdeepenc.inspection.invariance import InvarianceDisplay, image_transformations
from skdeepenc.inspection.match import MatchDisplay
from skdeepenc.inspection.matching import Match, match_contributions
from skdeepenc.inspection.ranking import RankingDisplay
from skdeepenc.inspection.region_precision import region_precision
from skdeepenc.inspection.window_scan import WindowScanDisplay, best_window

__all__ = [
    "ClusterMapDisplay",
    "ConfidenceMapDisplay",
    "InvarianceDisplay",
    "Match",
    "MatchDisplay",
    "RankingDisplay",
    "WindowScanDisplay",
    "best_window",
    "image_transformations",
    "match_contributions",
    "region_precision",
]
