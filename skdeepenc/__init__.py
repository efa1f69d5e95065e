"""Image representations from the activations of any ONNX backbone, as scikit-learn estimators.

The names below are the public ones. Each comes from its room when it is first used, so that
encoders work where no ONNX library is installed and ``import skdeepenc`` costs nothing.
`__init__.pyi` says the same to type checkers.
"""

import importlib

from skdeepenc._version import __version__

_ROOMS = {
    "backbones": ("Backbone", "ModelSpec"),
    "encoders": (
        "BagOfVisualWords",
        "ClusterMAC",
        "CrossLayerPooler",
        "GlobalPooler",
        "MOPVLADEncoder",
        "MultiScaleFisherEncoder",
    ),
    "extraction": ("ActivationExtractor",),
    "images": ("Crops", "Preprocessing", "Pyramid", "Whole", "Windows"),
    "maps": ("FeatureMaps", "as_feature_maps"),
    "retrieval": (
        "AdaptiveChannelRanker",
        "IndexedRanker",
        "LayerFusionRanker",
        "LocalizingRanker",
        "NearestNeighborRanker",
        "SignCodes",
    ),
}
_HOMES = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'skdeepenc' has no attribute {name!r}")
    return getattr(importlib.import_module(f"skdeepenc.{_HOMES[name]}"), name)


def __dir__():
    return __all__
