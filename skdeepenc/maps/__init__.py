"""FeatureMaps, the one currency between backbone and encoders."""

from skdeepenc.maps.coercion import as_feature_maps
from skdeepenc.maps.feature_maps import FeatureMaps
from skdeepenc.maps.sampling import sample_descriptors
from skdeepenc.maps.stores import ArrayStore, Store

__all__ = ["ArrayStore", "FeatureMaps", "Store", "as_feature_maps", "sample_descriptors"]
