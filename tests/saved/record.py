"""One small fitted estimator of each kind, as files that later versions have to open.

``python -m tests.saved.record`` writes the files that this version lacks. Those that are there are
never written again: a class that moves stays importable by its old name. Those of 0.1.0 were
made with scikit-learn 1.6.0 and skops 0.11.0.
"""

from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

import skdeepenc
from skdeepenc import encoders, retrieval
from skdeepenc.functional import l2_normalize
from skdeepenc.maps import FeatureMaps
from tests.extraction.conftest import tiny_network

FOLDER = Path(__file__).parent


def values(*shape):
    """Return numbers in [0, 1) that look random and are the same on every machine."""
    return (np.arange(1, np.prod(shape) + 1) * 0.6180339887498949 % 1 * 97 % 1).reshape(shape)


def maps():
    return FeatureMaps.from_layers({"conv4": values(12, 4, 4, 5), "conv5": values(12, 4, 4, 6)})


def vectors():
    return values(20, 8) - 0.5


def images():
    return list((values(4, 20, 24, 3) * 255).astype(np.uint8))


LABELS = np.arange(12) % 3
# Estimator and its input. An IndexedRanker holds an index of faiss, which no such file may.
KINDS = {
    "bag-of-words": (encoders.BagOfVisualWords(n_words=5, random_state=0), maps),
    "cluster-mac": (encoders.ClusterMAC(n_clusters=(3,), n_color_clusters=0), maps),
    "cross-layer": (encoders.CrossLayerPooler(), maps),
    "cross-layer-learned": (encoders.CrossLayerPooler(n_guidance_filters=3, random_state=0), maps),
    "fisher": (encoders.MultiScaleFisherEncoder(n_components=3, n_gaussians=2), maps),
    "global-pooler": (encoders.GlobalPooler(method="rmac"), maps),
    "mop-vlad": (encoders.MOPVLADEncoder(n_clusters=3, n_components=3, random_state=0), maps),
    "extractor": (skdeepenc.ActivationExtractor(tiny_network(), views=skdeepenc.Whole()), images),
    "nearest-neighbors": (retrieval.NearestNeighborRanker(n_neighbors=3), vectors),
    "layer-fusion": (retrieval.LayerFusionRanker(layers=[4, 4]), vectors),
    "localizing": (
        retrieval.LocalizingRanker(encoders.GlobalPooler(method="rmac"), n_candidates=4),
        maps,
    ),
    "adaptive-channels": (
        make_pipeline(
            make_union(encoders.CrossLayerPooler(), encoders.GlobalPooler(normalize=False)),
            retrieval.AdaptiveChannelRanker(n_channels=2, n_guidance_channels=6),
        ),
        maps,
    ),
    "k-reciprocal": (retrieval.KReciprocalRanker(k1=4, k2=2), vectors),
    "diffusion": (retrieval.DiffusionRanker(n_neighbors=4, n_query_neighbors=2), vectors),
    "refining": (retrieval.RefiningRanker(n_candidates=8, n_refining=3), vectors),
    "local": (retrieval.LocalRanker(n_candidates=4), maps),
    "asmk": (retrieval.ASMKRanker(n_words=5, binary=True, random_state=0), maps),
    "retrieval-pipeline": (
        retrieval.make_retrieval_pipeline(
            encoders.GlobalPooler(), retrieval.NearestNeighborRanker()
        ),
        maps,
    ),
    "power-law-whitening": (encoders.PowerLawWhitening(3), vectors),
    "supervised-whitening": (encoders.SupervisedWhitening(3), vectors),
    "pipeline": (
        make_pipeline(
            encoders.GlobalPooler(), PCA(3), FunctionTransformer(l2_normalize), LinearSVC()
        ),
        maps,
    ),
}


def outputs(estimator, X):
    """Return what an estimator makes of its input, as one dense array."""
    compute = getattr(estimator, "transform", None) or estimator.decision_function
    made = compute(X)
    if isinstance(made, FeatureMaps):
        made = made.values(made.layers[0])
    return np.asarray(made.toarray() if hasattr(made, "toarray") else made)


def record():
    """Write the files that are not there, and what their estimators compute."""
    folder = FOLDER / skdeepenc.__version__
    folder.mkdir(exist_ok=True)
    for name, (estimator, make_input) in KINDS.items():
        if (folder / f"{name}.skops").exists():
            continue
        X = make_input()
        estimator.fit(X, np.resize(LABELS, len(X)) if make_input in (maps, vectors) else None)
        skdeepenc.save(estimator, folder / f"{name}.skops", include_model=True)
        np.save(folder / f"{name}.npy", outputs(estimator, X).astype(np.float32))


if __name__ == "__main__":
    record()
