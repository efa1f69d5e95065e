"""A small case of every estimator that is public: how it is made, and what it takes."""

import importlib
import inspect
import pkgutil
from functools import partial
from importlib.util import find_spec

import numpy as np
from extraction.conftest import tiny_network
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline

import skdeepenc
from skdeepenc.encoders import (
    BagOfVisualWords,
    ClusterMAC,
    CrossLayerPooler,
    GlobalPooler,
    MOPVLADEncoder,
    MultiScaleFisherEncoder,
    PowerLawWhitening,
    SupervisedWhitening,
)
from skdeepenc.export import OnnxEncoder, OnnxPipeline
from skdeepenc.extraction import ActivationExtractor
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
    make_retrieval_pipeline,
)
from skdeepenc.testing import random_maps

MAPS = random_maps(6, 4, 4, 5)
VECTORS = MAPS.reshape(len(MAPS), -1)
LABELS = np.arange(len(MAPS)) % 2
IMAGES = list(np.random.default_rng(0).integers(0, 256, (len(MAPS), 20, 20, 3), dtype=np.uint8))


def _extractor():
    return ActivationExtractor(tiny_network(), layers=["conv2"])


# By name, so that the tests can say which are missing.
EVERY_ESTIMATOR = {
    "ASMKRanker": (partial(ASMKRanker, n_words=4, random_state=0), MAPS),
    "ActivationExtractor": (_extractor, IMAGES),
    "AdaptiveChannelRanker": (
        partial(AdaptiveChannelRanker, n_guidance_channels=VECTORS.shape[1] // 2, n_channels=2),
        VECTORS,
    ),
    "BagOfVisualWords": (partial(BagOfVisualWords, n_words=4, random_state=0), MAPS),
    "ClusterMAC": (
        partial(ClusterMAC, n_components=2, n_clusters=2, n_output_components=2, random_state=0),
        MAPS,
    ),
    "CrossLayerPooler": (partial(CrossLayerPooler, n_components=2, random_state=0), MAPS),
    "DiffusionRanker": (partial(DiffusionRanker, n_neighbors=3, n_query_neighbors=2), VECTORS),
    "GlobalPooler": (partial(GlobalPooler, method="rmac"), MAPS),
    "IndexedRanker": (partial(IndexedRanker, n_neighbors=2), VECTORS),
    "KReciprocalRanker": (partial(KReciprocalRanker, k1=3, k2=2), VECTORS),
    "LayerFusionRanker": (LayerFusionRanker, VECTORS),
    "LocalRanker": (partial(LocalRanker, n_candidates=2), MAPS),
    "LocalizingRanker": (
        lambda: LocalizingRanker(GlobalPooler(), n_candidates=1, n_expansion=0),
        MAPS,
    ),
    "MOPVLADEncoder": (
        partial(
            MOPVLADEncoder, n_components=3, n_clusters=2, n_output_components=2, random_state=0
        ),
        MAPS,
    ),
    "MultiScaleFisherEncoder": (
        partial(MultiScaleFisherEncoder, n_components=3, n_gaussians=2, random_state=0),
        MAPS,
    ),
    "NearestNeighborRanker": (partial(NearestNeighborRanker, expansion=1), VECTORS),
    "OnnxEncoder": (lambda: OnnxEncoder(GlobalPooler()), MAPS),
    "OnnxPipeline": (lambda: OnnxPipeline(make_pipeline(_extractor(), GlobalPooler())), IMAGES),
    "PowerLawWhitening": (partial(PowerLawWhitening, 2), VECTORS),
    "RefiningRanker": (partial(RefiningRanker, n_candidates=4, n_refining=2), VECTORS),
    "RetrievalPipeline": (
        lambda: make_retrieval_pipeline(GlobalPooler(), NearestNeighborRanker()),
        MAPS,
    ),
    "SupervisedWhitening": (partial(SupervisedWhitening, 2), VECTORS),
}
_NEEDS = {"IndexedRanker": "faiss"}


def public_estimators():
    """Return the names of whatever can be fitted, of all that the rooms say is public."""
    rooms = [
        importlib.import_module(room.name)
        for room in pkgutil.iter_modules(skdeepenc.__path__, "skdeepenc.")
        if room.ispkg
    ]
    public = {name: getattr(room, name) for room in rooms for name in getattr(room, "__all__", ())}
    return {name for name, value in public.items() if _is_estimator(value)}


def _is_estimator(value):
    return inspect.isclass(value) and issubclass(value, BaseEstimator) and hasattr(value, "fit")


def small_estimators():
    """Return every estimator that this environment has all libraries for, and what it takes."""
    return {
        name: (make(), X)
        for name, (make, X) in EVERY_ESTIMATOR.items()
        if name not in _NEEDS or find_spec(_NEEDS[name])
    }
