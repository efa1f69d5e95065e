"""Checks that every estimator of feature maps should pass, for ours and for yours.

`check_maps_encoder` is to `FeatureMaps` what scikit-learn's ``check_estimator`` is to arrays, and
`parametrize_with_maps_checks` what ``parametrize_with_checks`` is. A new encoder passes both.
"""

from skdeepenc.testing.data import ragged_images, random_maps
from skdeepenc.testing.suite import (
    check_maps_encoder,
    maps_encoder_checks,
    parametrize_with_maps_checks,
)

__all__ = [
    "check_maps_encoder",
    "maps_encoder_checks",
    "parametrize_with_maps_checks",
    "ragged_images",
    "random_maps",
]
