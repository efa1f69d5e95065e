"""Estimators that turn feature maps into vectors, and whiten vectors."""

from skdeepenc.encoders.bag_of_words import BagOfVisualWords
from skdeepenc.encoders.cluster_mac import ClusterMAC
from skdeepenc.encoders.cross_layer import CrossLayerPooler
from skdeepenc.encoders.fisher import MultiScaleFisherEncoder
from skdeepenc.encoders.global_pooler import GlobalPooler
from skdeepenc.encoders.mop_vlad import MOPVLADEncoder
from skdeepenc.encoders.whitening import PowerLawWhitening, SupervisedWhitening

__all__ = [
    "BagOfVisualWords",
    "ClusterMAC",
    "CrossLayerPooler",
    "GlobalPooler",
    "MOPVLADEncoder",
    "MultiScaleFisherEncoder",
    "PowerLawWhitening",
    "SupervisedWhitening",
]
