"""ActivationExtractor: images in, FeatureMaps out."""

from skdeepenc.extraction.cache import backbone_runs
from skdeepenc.extraction.extractor import ActivationExtractor

__all__ = ["ActivationExtractor", "backbone_runs"]
