"""What a user writes, as a type checker sees it: mypy reads this file with the package.

It is never run. A wrong use is marked with an ignore, and an ignore that is not needed is an error.
"""

from pathlib import Path

import numpy as np
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import LinearSVC

from skdeepenc import (
    ActivationExtractor,
    BagOfVisualWords,
    ClusterMAC,
    CrossLayerPooler,
    FeatureMaps,
    GlobalPooler,
    KReciprocalRanker,
    LayerFusionRanker,
    MOPVLADEncoder,
    MultiScaleFisherEncoder,
    NearestNeighborRanker,
    Pyramid,
    SignCodes,
    Windows,
    as_feature_maps,
    load,
    make_retrieval_pipeline,
    save,
)
from skdeepenc.backbones import Backbone, ModelSpec, list_models
from skdeepenc.datasets import find_images, make_scenes
from skdeepenc.export import OnnxEncoder, to_onnx, verify
from skdeepenc.functional import l2_normalize, vlad
from skdeepenc.images import decode_image
from skdeepenc.metrics import average_precision, recall_at_k
from skdeepenc.retrieval import expand_queries, localize


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


def search(gallery: np.ndarray, names: list[Path], folder: Path) -> list[list[str]]:
    """Rank a gallery, let it grow and shrink, and re-rank it."""
    ranker = NearestNeighborRanker(expansion=3, alpha=2.0).fit(gallery, names=names)
    ranker.partial_fit(gallery[:2], names=["c", "d"]).remove([0, 1])
    distances, indices = ranker.kneighbors(gallery[:3], n_neighbors=2)
    fused = LayerFusionRanker(thresholds=(0.2, 1.0)).fit({"high": gallery, "low": gallery}, ["a"])
    quality: float = fused.score([gallery, gallery], ["a"]) + distances[indices].sum()
    pipeline = make_retrieval_pipeline(GlobalPooler(method="gem"), KReciprocalRanker(k1=10))
    pipeline.fit(gallery).rank(gallery, return_names=quality > 0.5)
    codes = SignCodes.encode(gallery)
    codes.save(folder)
    similarities, found = SignCodes.load(folder)[:5].search(codes, n_neighbors=3)
    boxes, _ = localize(as_feature_maps(gallery), gallery[0], aspect_ratios=1.0)
    expand_queries(gallery, gallery, n_neighbors=int(boxes.max() + similarities.sum()))
    called: list[list[str]] = ranker.rank(gallery[found[0]], 10, return_names=True).tolist()
    return called


def look_into(path: Path) -> tuple[int, ...]:
    """Ask a model what it offers, and run it."""
    spec = ModelSpec("mine", layers=("conv5",), input_size=224)
    backbone = Backbone(path, layers=["conv4", -1], spec=list_models().get("resnet18", spec))
    channels: list[int | None] = [layer.channels for layer in backbone.layer_info]
    maps: dict[str, np.ndarray] = backbone.run(np.zeros((1, 3, 224, 224), dtype=np.float32))
    return (*maps[backbone.layers[0]].shape, len(channels), len(backbone.digest))


def deploy(pipeline: Pipeline, images: list[Path], path: Path) -> float:
    """Save a pipeline, write it as a graph, and run an encoder's."""
    save(pipeline, path.with_suffix(".skops"), include_model=True)
    report = to_onnx(pipeline, path, images=images, outputs=["vector"], overwrite=True)
    OnnxEncoder(MOPVLADEncoder(), providers=["CPUExecutionProvider"]).fit_transform(np.ones((4, 8)))
    return report.min_cosine or verify(load(path), path, images).max_abs or 0.0


def mistakes() -> None:
    """Be told of wrong parameters before anything runs."""
    Pyramid(aspect="stretch")  # type: ignore[arg-type]
    MOPVLADEncoder(n_clusters="many")  # type: ignore[arg-type]
    average_precision([1], positives=[1], junk=3)  # type: ignore[arg-type]
    find_images(3)  # type: ignore[arg-type]
    make_scenes("many")  # type: ignore[arg-type]
    ClusterMAC().fit()  # type: ignore[call-arg]
    make_retrieval_pipeline(GlobalPooler()).rank()  # type: ignore[call-arg]
    NearestNeighborRanker(n_neighbors="all")  # type: ignore[arg-type]
    SignCodes.load("codes", mmap_mode="w")  # type: ignore[arg-type]
    Backbone("model.onnx", layers=1.5)  # type: ignore[arg-type]
    to_onnx(make_pipeline(), tolerance="tight")  # type: ignore[arg-type]
