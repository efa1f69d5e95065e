"""Displays: what people would rather look at than read."""

from skdeepenc.inspection.confidence_map import ConfidenceMapDisplay
from skdeepenc.inspection.ranking import RankingDisplay
from skdeepenc.inspection.window_scan import WindowScanDisplay, best_window

__all__ = [
    "ConfidenceMapDisplay",
    "RankingDisplay",
    "WindowScanDisplay",
    "best_window",
]
