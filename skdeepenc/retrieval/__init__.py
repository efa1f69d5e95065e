"""Rank a gallery: rankers, expansion, localization, sign codes."""

from skdeepenc.retrieval.asmk import ASMKRanker
from skdeepenc.retrieval.channel_selection import AdaptiveChannelRanker
from skdeepenc.retrieval.diffusion import DiffusionRanker
from skdeepenc.retrieval.expansion import augment_gallery, expand_queries
from skdeepenc.retrieval.index import IndexedRanker
from skdeepenc.retrieval.k_reciprocal import KReciprocalRanker
from skdeepenc.retrieval.layer_fusion import LayerFusionRanker
from skdeepenc.retrieval.local_ranker import LocalRanker
from skdeepenc.retrieval.localization import localize
from skdeepenc.retrieval.localizing_ranker import LocalizingRanker
from skdeepenc.retrieval.pipeline import RetrievalPipeline, make_retrieval_pipeline
from skdeepenc.retrieval.ranker import NearestNeighborRanker
from skdeepenc.retrieval.refining_ranker import RefiningRanker
from skdeepenc.retrieval.sign_codes import SignCodes

__all__ = [
    "ASMKRanker",
    "AdaptiveChannelRanker",
    "DiffusionRanker",
    "IndexedRanker",
    "KReciprocalRanker",
    "LayerFusionRanker",
    "LocalRanker",
    "LocalizingRanker",
    "NearestNeighborRanker",
    "RefiningRanker",
    "RetrievalPipeline",
    "SignCodes",
    "augment_gallery",
    "expand_queries",
    "localize",
    "make_retrieval_pipeline",
]
