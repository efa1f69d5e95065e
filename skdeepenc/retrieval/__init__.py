"""Rank a gallery: rankers, expansion, localization, sign codes."""

from skdeepenc.retrieval.sign_codes import SignCodes

__all__ = ["SignCodes"]
