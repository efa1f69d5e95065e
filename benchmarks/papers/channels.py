"""Rank the Oxford subset by the guidance channels that a query activates (the paper's figure 4).

    SKDEEPENC_DATA=data python -m benchmarks.papers.channels --cache folder

SqueezeNet's fire8 guided by fire9, images with their proportions kept, queries cropped to their
boxes at the gallery's scale and whole. Rows: whitened average pooling, the paper's baseline; then
cross-layer pooling compared in k channels, as signs and as values. PCA is learned on the training
images of Flowers 17, or, with ``--learn gallery``, on the gallery itself. Ten queries are few:
differences under five points are noise.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline, make_union
from sklearn.utils import gen_batches

from benchmarks import flowers17
from benchmarks.networks import CAFFE, SQUEEZENET
from benchmarks.oxford_subset import Oxford
from skdeepenc.encoders import CrossLayerPooler, GlobalPooler
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.functional import l2_normalize
from skdeepenc.images import Pyramid
from skdeepenc.retrieval import AdaptiveChannelRanker

DATA = Path(os.environ.get("SKDEEPENC_DATA", "."))
FEATURES, GUIDANCE = "fire8/concat", "fire9/concat"
N_AT_ONCE = 64


def extract(images, side, cache=None):
    """Return the maps of images with their proportions kept."""
    extractor = ActivationExtractor(
        DATA / SQUEEZENET,
        layers=[FEATURES, GUIDANCE],
        views=Pyramid(n_scales=1, base=side, aspect="keep"),
        preprocessing=CAFFE,
        dtype="float16",
        batch_size=4,
        memory=cache,
    )
    return extractor.fit_transform(images)


def channel_rankings(training, gallery, queries, kinds):
    """Yield the name of each row, and the gallery in the order that each kind of query gives."""
    union = make_union(
        CrossLayerPooler(feature_layer=FEATURES, guidance_layer=GUIDANCE, random_state=0),
        GlobalPooler(layer=GUIDANCE, normalize=False),
    ).fit(training)
    vectors = {name: union.transform(maps) for name, maps in queries.items()}
    n_guidance_channels = gallery.n_channels(GUIDANCE)
    for kind in kinds:
        quantize = "sign" if kind == "signs" else None
        ranker = AdaptiveChannelRanker(n_guidance_channels=n_guidance_channels, quantize=quantize)
        for some in gen_batches(len(gallery), N_AT_ONCE):
            ranker.partial_fit(union.transform(gallery[some]))
        for n_channels in (10, 20, 50, 100, n_guidance_channels):
            ranker.n_channels_ = n_channels  # what fit would learn from n_channels, and no more
            yield (
                f"{kind}, {n_channels} channels",
                {name: ranker.rank(given) for name, given in vectors.items()},
            )


def average_rankings(training, gallery, queries):
    """Yield the rows of average pooling, plain and whitened."""
    plain = GlobalPooler(layer=GUIDANCE)
    whitened = make_pipeline(plain, PCA(256, whiten=True, random_state=0))
    for name, encoder in (("average", plain), ("average, whitened to 256", whitened)):
        vectors = l2_normalize(encoder.fit(training).transform(gallery))
        yield (
            name,
            {
                kind: np.argsort(-l2_normalize(encoder.transform(maps)) @ vectors.T, axis=1)
                for kind, maps in queries.items()
            },
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", help="folder in which activations are kept")
    parser.add_argument("--side", type=int, default=320, help="shorter edge of the images")
    parser.add_argument("--training", type=int, default=40, help="training images of a class")
    parser.add_argument("--learn", choices=["flowers", "gallery"], default="flowers")
    parser.add_argument(
        "--kinds", nargs="+", choices=["signs", "values"], default=["signs", "values"]
    )
    arguments = parser.parse_args()
    oxford = Oxford(DATA / "images" / "oxford5k_subset")
    gallery = extract(oxford.paths, arguments.side, arguments.cache)
    queries = {"cropped": oxford.maps_of_crops(extract), "whole": gallery[oxford.queries]}
    training = gallery
    if arguments.learn == "flowers":
        paths, labels = flowers17.load(DATA)
        train, _ = flowers17.split_by_name(labels, arguments.training)
        training = extract([paths[image] for image in train], arguments.side, arguments.cache)
    print(f"{gallery!r}\n{'':28}{'cropped':>8}{'whole':>8}  queries", flush=True)
    for rankings in (
        average_rankings(training, gallery, queries),
        channel_rankings(training, gallery, queries, arguments.kinds),
    ):
        for name, by_kind in rankings:
            scores = [oxford.measure(ranked) for ranked in by_kind.values()]
            print(f"{name:28}" + "".join(f"{score:8.2f}" for score in scores), flush=True)


if __name__ == "__main__":
    main()
