"""ActivationExtractor: images in, FeatureMaps out."""

from skdeepenc.extraction.cache import backbone_runs
from skdeepenc.extraction.cache_folder import CacheFolder
from skdeepenc.extraction.extractor import ActivationExtractor
from skdeepenc.extraction.housekeeping import cache_info, clean_cache

__all__ = ["ActivationExtractor", "CacheFolder", "backbone_runs", "cache_info", "clean_cache"]
