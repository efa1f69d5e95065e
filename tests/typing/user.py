"""What a user writes, as a type checker sees it: mypy reads this file with the package.

It is never run. A wrong use is marked with an ignore, and an ignore that is not needed is an error.
"""

from pathlib import Path

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from skdeepenc import (
    ActivationExtractor,
    BagOfVisualWords,
    ClusterMAC,
    CrossLayerPooler,
    FeatureMaps,
    MOPVLADEncoder,
    MultiScaleFisherEncoder,
    Pyramid,
    Windows,
    as_feature_maps,
)
from skdeepenc.datasets import find_images
from skdeepenc.functional import l2_normalize, vlad
from skdeepenc.images import decode_image
from skdeepenc.metrics import average_precision, recall_at_k


def classify(folder: Path) -> None:
    """Put an extractor and an encoder into a pipeline."""
    paths = find_images(folder)
    extractor = ActivationExtractor("model.onnx", layers=["fc7"], views=Windows(), memory="cache")
    make_pipeline(extractor, MOPVLADEncoder(n_clusters=10, sigma="auto"), LinearSVC()).fit(paths)


def hold_maps(folder: Path) -> int:
    """Save, load and cut feature maps."""
    maps = FeatureMaps.from_layers({"conv5": np.ones((4, 7, 7, 16), dtype=np.float32)})
    maps.save(folder)
    part: FeatureMaps = FeatureMaps.load(folder, mmap_mode=None)[:2]
    one: list[np.ndarray] = maps[0]["conv5"]
    rows: int = sum(len(batch) for batch in part.iter_batches())
    return rows + len(one) + as_feature_maps(one).n_scales


def encode(maps: FeatureMaps) -> None:
    """Fit encoders on maps, on arrays and on ragged lists."""
    ClusterMAC(n_clusters=(5, 20)).fit(maps)
    CrossLayerPooler(spatial_pyramid=[(1, 1), (3, 1)]).fit(maps, ["a", "b"])
    MultiScaleFisherEncoder(scales=[0, 1]).fit(np.ones((3, 7, 7, 16)))
    BagOfVisualWords(n_words=10).fit([np.ones((5, 16)), np.ones((9, 16))])


def compute() -> float:
    """Call plain functions."""
    centers = l2_normalize(np.ones((3, 8), dtype=np.float32))
    vlad(centers, centers, np.zeros((3, 1), dtype=np.intp), np.ones((3, 1)))
    decode_image("a.jpg", smallest=64).astype(np.float32)
    recall_at_k([[0, 1], [1, 0]], positives=[[1], [0]], k=(1, 2))
    return average_precision([2, 0, 1], positives=[0])


def mistakes() -> None:
    """Be told of wrong parameters before anything runs."""
    Pyramid(aspect="stretch")  # type: ignore[arg-type]
    MOPVLADEncoder(n_clusters="many")  # type: ignore[arg-type]
    average_precision([1], positives=[1], junk=3)  # type: ignore[arg-type]
    find_images(3)  # type: ignore[arg-type]
