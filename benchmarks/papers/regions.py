"""Rank the Oxford subset by regions, clusters and their baselines; whitening of flowers17.

    python -m benchmarks.papers.regions --memory CACHE [--models squeezenet mobilenet_v2]

Needs the folder that the environment variable SKDEEPENC_DATA names. Every row is one encoding of
the 1,008 images (shorter edge 320): mean average precision of the 10 standard queries, in percent,
with the activations cropped to the query's box ("crop X"), with the image cropped ("crop I"),
then of the 114 right images, each asking whole for the others ("whole"), and with re-ranking (R)
and query expansion (QE) of the first 200 after either crop. PCA and whitening are learned on the
680 training images of flowers17. Ten queries are few: differences under five points are noise.
Small maps (MobileNet v2: 10 x 14 positions) leave clusters of one position; ``--side 640`` enlarges
the images.
"""

import argparse
import os
import warnings
from pathlib import Path
from typing import ClassVar

import numpy as np
from sklearn.cluster import KMeans
from sklearn.frozen import FrozenEstimator

from benchmarks import flowers17
from benchmarks.networks import CAFFE, SQUEEZENET
from benchmarks.oxford_subset import Oxford
from skdeepenc.encoders import ClusterMAC, GlobalPooler
from skdeepenc.exceptions import ModelWarning
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.functional.region_sum import ClusterRegions
from skdeepenc.images import Preprocessing, Pyramid
from skdeepenc.maps import FeatureMaps
from skdeepenc.retrieval import LocalizingRanker

SIDE = 320
CENTERED = Preprocessing(mean=(128,) * 3, std=(128,) * 3, scale=1)
MODELS = {
    "squeezenet": (SQUEEZENET, "fire9/concat", CAFFE),
    "mobilenet_v2": ("weights/mobilenet_v2_1.0_224_quant_float.onnx", "L61_conv_2d", CENTERED),
}


class SharedClusters(ClusterRegions):
    """Clusters that are cut once for all rows that cut the same points."""

    made: ClassVar[dict] = {}

    def _cut(self, points, n_clusters, weights):
        counts = (5, 20) if tuple(n_clusters) in ((5,), (20,), (5, 20)) else tuple(n_clusters)
        key = self.affinity, counts, hash(points.tobytes())
        if key not in self.made:
            self.made[key] = super()._cut(points, counts, weights).astype(np.int8)
        columns = [counts.index(count) for count in n_clusters]
        return self.made[key][:, columns].astype(np.intp)


class KMeansClusters(ClusterRegions):
    """Clusters by k-means in the place of Normalized Cut."""

    def _cut(self, points, n_clusters, weights):
        scaled = (points * np.sqrt(weights)).astype(np.float32)
        counts = np.minimum(n_clusters, len(np.unique(scaled, axis=0)))
        models = [KMeans(count, n_init=1, random_state=self.seed) for count in counts]
        return np.stack([model.fit_predict(scaled) for model in models], axis=1)


class SharedClusterMAC(ClusterMAC):
    """ClusterMAC that takes partitions made for an earlier row; they are the same."""

    clusters = SharedClusters

    @property
    def _regions(self):
        found = super()._regions
        return self.clusters(**vars(found)) if isinstance(found, ClusterRegions) else found


class KMeansMAC(SharedClusterMAC):
    """ClusterMAC with k-means in the place of Normalized Cut."""

    clusters = KMeansClusters


class SharedLocalizingRanker(LocalizingRanker):
    """LocalizingRanker that looks once in the whole gallery, for the rows and columns to come."""

    found: dict = {}

    def _localize(self, candidates, maxima, ratio):
        key = maxima.tobytes()
        if key not in self.found:
            everything = np.arange(len(self.gallery_))
            self.found[key] = super()._localize(everything, maxima, ratio)
        boxes, similarities = self.found[key]
        return boxes[candidates], similarities[candidates]


def encoders():
    """Yield the name of each row, its encoder, and whether it is re-ranked."""
    for method in ("avg", "max", "gem", "spoc", "crow", "rmac"):
        yield f"{method}, no whitening", GlobalPooler(method=method), False
    yield "MAC, whitened", ClusterMAC(regions="mac", random_state=0), False
    yield "R-MAC, whitened regions", ClusterMAC(regions="rmac", random_state=0), True
    for affinity in ("exponential", "gaussian"):
        for colors in (0, 5):
            for counts in ((5,), (20,), (5, 20)):
                name = f"clusters {' + '.join(map(str, counts))}, colours {colors}, {affinity}"
                encoder = SharedClusterMAC(
                    n_clusters=counts, n_color_clusters=colors, affinity=affinity, random_state=0
                )
                yield name, encoder, counts == (5, 20) and colors == 5
    encoder = SharedClusterMAC(whiten=False, random_state=0)
    yield "clusters 5 + 20, colours 5, no whitening", encoder, False
    yield "k-means 5 + 20, colours 5", KMeansMAC(random_state=0), False


def extract(model, data, memory, images, side):
    name, layer, preprocessing = MODELS[model]
    extractor = ActivationExtractor(
        str(data / name),
        layers=[layer, "rgb"],
        views=Pyramid(n_scales=1, base=side, aspect="keep"),
        preprocessing=preprocessing,
        dtype="float16",
        batch_size=4,
        memory=memory,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelWarning)  # the models' files describe nothing
        return extractor.fit_transform(images)


def in_memory(maps):
    """Return the maps in memory, in float32: every row reads them again."""
    values = {layer: maps.values(layer).astype(np.float32) for layer in maps.layers}
    return FeatureMaps.from_values(values, {layer: maps.grid(layer) for layer in maps.layers})


def load(model, data, memory, side):
    oxford = Oxford(data / "images" / "oxford5k_subset")
    paths, labels = flowers17.load(data)
    train, _ = flowers17.split_by_name(labels)
    training = in_memory(extract(model, data, memory, [paths[image] for image in train], side))
    gallery = in_memory(extract(model, data, memory, oxford.paths, side))
    crop_i = oxford.maps_of_crops(
        lambda crop, edge: extract(model, data, None, crop, edge * side // SIDE)
    )
    crop_x = gallery[oxford.queries].crop(oxford.boxes, oxford.sizes)
    return oxford, training, gallery, {"crop X": crop_x, "crop I": crop_i}


def rank(vectors, query_vectors):
    return np.argsort(-query_vectors @ vectors.T, axis=1, kind="stable")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--memory", required=True, help="folder that keeps the activations")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--side", type=int, default=SIDE, help="shorter edge of the images")
    parser.add_argument("--only", default="", help="only rows whose name contains this")
    parser.add_argument("--no-reranking", action="store_true")
    arguments = parser.parse_args()
    data = Path(os.environ["SKDEEPENC_DATA"])
    for model in arguments.models:
        bench = load(model, data, arguments.memory, arguments.side)
        print(f"\n{model}: shorter edge {arguments.side}, mAP in percent")
        print(f"{'':45}  crop X  crop I   whole     X+R  X+R+QE     I+R  I+R+QE", flush=True)
        for name, encoder, is_reranked in encoders():
            if arguments.only in name:
                figures = measure(encoder, *bench, is_reranked and not arguments.no_reranking)
                print(f"{name:45} " + " ".join(f"{figure:7.1f}" for figure in figures), flush=True)


def measure(encoder, oxford, training, gallery, queries, is_reranked):
    """Return the figures of one row."""
    vectors = encoder.fit(training).transform(gallery)
    rankings = {way: rank(vectors, encoder.transform(maps)) for way, maps in queries.items()}
    figures = [oxford.measure(rankings[way]) for way in queries]
    figures.append(oxford.leave_one_out(np.asarray(vectors)))
    return [*figures, *reranked(encoder, oxford, gallery, queries)] if is_reranked else figures


def reranked(encoder, oxford, gallery, queries):
    ranker = SharedLocalizingRanker(FrozenEstimator(encoder), n_candidates=200).fit(gallery)
    for maps in queries.values():
        for n_expansion in (0, 5):
            yield oxford.measure(ranker.set_params(n_expansion=n_expansion).rank(maps))


if __name__ == "__main__":
    main()
