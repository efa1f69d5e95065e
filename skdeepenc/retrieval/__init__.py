"""Rank a gallery: rankers, expansion, localization, sign codes."""
