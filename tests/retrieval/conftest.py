"""Small galleries that the tests of rankers share."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator

from skdeepenc.encoders import GlobalPooler
from skdeepenc.maps import FeatureMaps
from skdeepenc.retrieval import (
    AdaptiveChannelRanker,
    ASMKRanker,
    DiffusionRanker,
    IndexedRanker,
    KReciprocalRanker,
    LayerFusionRanker,
    LocalizingRanker,
    LocalRanker,
    NearestNeighborRanker,
    RefiningRanker,
)

_RNG = np.random.default_rng(7)
_VECTORS = _RNG.normal(size=(30, 8)).astype(np.float32)
_WORDS = sparse.csr_array(_RNG.poisson(0.2, size=(30, 20)).astype(np.float32))
_MAPS = FeatureMaps.from_arrays(_RNG.random((30, 4, 5, 8), dtype=np.float32))
_POOLER = FrozenEstimator(GlobalPooler(method="max").fit(_MAPS))


@dataclass
class Case:
    """A ranker, 30 images that it takes, and their labels and names."""

    ranker: BaseEstimator
    X: object
    y = np.arange(30) % 3
    names = np.array([f"{image}.jpg" for image in range(30)])

    def take(self, rows):
        """Return some of the images."""
        if isinstance(self.X, dict):
            return {name: block[rows] for name, block in self.X.items()}
        return self.X[rows]


EVERY_RANKER = {
    "cosine": (NearestNeighborRanker(), _VECTORS),
    "inner product": (NearestNeighborRanker(metric="inner_product"), _VECTORS),
    "euclidean": (NearestNeighborRanker(metric="euclidean"), _VECTORS),
    "expanded": (NearestNeighborRanker(expansion=2), _VECTORS),
    "sparse": (NearestNeighborRanker(), _WORDS),
    "indexed": (IndexedRanker(recall=1.0, random_state=0), _VECTORS),
    "fused": (LayerFusionRanker(block_widths=[5, 3]), _VECTORS),
    "fused dict": (LayerFusionRanker(), {"fc": _VECTORS, "words": _WORDS}),
    "candidates": (LayerFusionRanker(block_widths=[5, 3], n_candidates=4), _VECTORS),
    "channels": (AdaptiveChannelRanker(quantize=None, n_channels=3), _VECTORS),
    "signs of channels": (AdaptiveChannelRanker(n_channels=3), _VECTORS),
    "k-reciprocal": (KReciprocalRanker(k1=5, k2=3), _VECTORS),
    "k-reciprocal of layers": (
        KReciprocalRanker(k1=5, ranker=LayerFusionRanker(n_candidates=9)),
        {"fc": _VECTORS, "words": _WORDS},
    ),
    "k-reciprocal of signs": (
        KReciprocalRanker(k1=5, ranker=AdaptiveChannelRanker(n_channels=3)),
        _VECTORS,
    ),
    "diffusion": (DiffusionRanker(n_neighbors=6, n_query_neighbors=4), _VECTORS),
    "truncated diffusion": (DiffusionRanker(n_neighbors=6, n_candidates=9), _WORDS),
    "refined": (RefiningRanker(n_candidates=9, n_refining=3), _VECTORS),
    "asmk": (ASMKRanker(words=_VECTORS[:9]), _MAPS),
    "binary asmk": (ASMKRanker(words=_VECTORS[:9], binary=True), _MAPS),
    "matched": (LocalRanker(n_candidates=5), _MAPS),
    "mutually matched": (
        LocalRanker(n_candidates=5, matching="mutual", ranker=ASMKRanker(words=_VECTORS[:9])),
        _MAPS,
    ),
    "localized": (LocalizingRanker(_POOLER, n_candidates=3), _MAPS),
}


@pytest.fixture(params=EVERY_RANKER)
def case(request):
    ranker, X = EVERY_RANKER[request.param]
    if isinstance(ranker, IndexedRanker):
        pytest.importorskip("faiss")
    return Case(clone(ranker), X)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def labelled(rng):
    """60 vectors around 6 centres, and their labels."""
    labels = np.repeat(np.arange(6), 10)
    centers = rng.normal(size=(6, 8))
    return centers[labels] + 0.7 * rng.normal(size=(60, 8)), labels
