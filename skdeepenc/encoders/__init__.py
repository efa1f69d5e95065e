"""Estimators that turn feature maps into vectors."""

from skdeepenc.encoders.cluster_mac import ClusterMAC
from skdeepenc.encoders.global_pooler import GlobalPooler

__all__ = ["GlobalPooler"]
from skdeepenc.encoders.fisher import MultiScaleFisherEncoder

__all__ = ["MultiScaleFisherEncoder"]
from skdeepenc.encoders.mop_vlad import MOPVLADEncoder

__all__ = ["MOPVLADEncoder"]
__all__ = ["ClusterMAC", "GlobalPooler"]
