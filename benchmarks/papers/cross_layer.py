"""Take cross-layer pooling apart on Oxford Flowers 17 (the paper's tables 6 to 9).

    SKDEEPENC_DATA=data python -m benchmarks.papers.cross_layer squeezenet --cache folder
    SKDEEPENC_DATA=data python -m benchmarks.papers.cross_layer embedded --cache folder

"fire8 | fire9" are the features of fire8 guided by fire9. Rows: the global average; with and
without PCA, L2 and power; signs; maximum; other pairs of layers; learned guidance, with its loss;
and plain pooling under spatial pyramids of level 0, 1 and 2. Columns: the split by name order, then
the mean and spread of seeded stratified splits, 40 training and 40 test images per class each.
Components and guidance are learned from training images. The classifier is the paper's: support
vector machines, one class against the rest, on precomputed linear kernels (C = 10, kernels of unit
mean diagonal). One figure has a standard error of about 1.4 points.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_union
from sklearn.svm import SVC
from sklearn.utils import gen_batches

from benchmarks import flowers17
from benchmarks.networks import CAFFE, SQUEEZENET
from skdeepenc.encoders import CrossLayerPooler, GlobalPooler
from skdeepenc.encoders._matched_layers import match_layers
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.functional import l2_normalize, power_normalize
from skdeepenc.images import Pyramid
from skdeepenc.maps import FeatureMaps

DATA = Path(os.environ.get("SKDEEPENC_DATA", "."))
N_AT_ONCE = 85
PYRAMID = [(1, 1), (2, 2), (4, 4)]
NETWORKS = {
    "embedded": {"model": "embedded", "layers": ["conv4", "conv5"]},  # takes 64 pixels a side
    "squeezenet": {  # takes 227
        "model": DATA / SQUEEZENET,
        "layers": ["fire8/concat", "fire9/concat"],
        "preprocessing": CAFFE,
    },
}


class WithoutL2(CrossLayerPooler):
    """The pooler without the L2 normalisation of channels."""

    def _normalize(self, vectors):
        return power_normalize(vectors, self.power)


class WholeL2(CrossLayerPooler):
    """The pooler with one L2 normalisation of the whole vector, after the power."""

    def _normalize(self, vectors):
        return l2_normalize(super()._normalize(vectors).reshape(len(vectors), -1))


def rows(first, second, seed):
    """Yield the name and the encoder of every row, given the names of two layers."""

    def pooler(kind=CrossLayerPooler, **parameters):
        return kind(random_state=seed, **parameters)

    def plain(layer, level, pooling):
        return CrossLayerPooler(
            feature_layer=layer,
            guidance_layer="uniform",
            n_components="passthrough",
            pooling=pooling,
            spatial_pyramid=PYRAMID[: level + 1],
        )

    yield f"global average of {second}", GlobalPooler(layer=second)
    yield f"{first} | {second}", pooler()
    yield "  signs", pooler(quantize="sign")
    yield "  without power", pooler(power=1)
    yield "  without L2", pooler(WithoutL2)
    yield "  without L2 and power", pooler(WithoutL2, power=1)
    yield "  without PCA", pooler(n_components="passthrough")
    yield "  without PCA and power", pooler(n_components="passthrough", power=1)
    yield "  without PCA and L2", pooler(WithoutL2, n_components="passthrough")
    yield "  without all three", pooler(WithoutL2, n_components="passthrough", power=1)
    yield "  128 components", pooler(n_components=128)
    yield "  and L2 of the whole", pooler(WholeL2)
    yield "  maximum", pooler(pooling="max")
    yield f"{first} | itself", pooler(feature_layer=first, guidance_layer=first)
    yield f"{second} | itself", pooler(feature_layer=second)
    yield f"{second} | {first}", pooler(feature_layer=second, guidance_layer=first)
    for layer in (first, second):
        learned = pooler(feature_layer=layer, n_guidance_filters=100)
        yield f"{layer} | 100 learned filters", learned
    for pooling in ("max", "sum"):
        for level in range(3):
            parts = [plain(layer, level, pooling) for layer in (first, second)]
            for layer, part in zip((first, second), parts, strict=True):
                yield f"{pooling} of {layer}, level {level}", part
            yield f"{pooling} of both, level {level}", make_union(*parts)


def accuracy(encoder, maps, labels, train, test):
    """Return the test accuracy, in percent; the kernel is computed some images at a time."""
    vectors = encoder.fit(maps[train], labels[train]).transform(maps[train])
    kernel = np.empty((len(labels), len(train)))
    kernel[train] = vectors @ vectors.T
    for some in gen_batches(len(test), N_AT_ONCE):
        kernel[test[some]] = encoder.transform(maps[test[some]]) @ vectors.T
    kernel /= kernel[train].diagonal().mean()
    classifier = OneVsRestClassifier(SVC(C=10, kernel="precomputed"))
    return 100 * classifier.fit(kernel[train], labels[train]).score(kernel[test], labels[test])


def matched_once(maps):
    """Return the maps on the coarser layer's grid, in memory: every row would match them again."""
    matched = match_layers(maps, *maps.layers)
    values = {layer: matched.values(layer) for layer in maps.layers}
    return FeatureMaps.from_values(values, {layer: matched.grid(layer) for layer in maps.layers})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--cache", help="folder in which activations are kept")
    parser.add_argument("--size", type=int, help="side of the images; the network's by default")
    parser.add_argument("--keep-aspect", action="store_true", help="do not warp to squares")
    parser.add_argument("--seeds", type=int, default=3, help="number of random splits")
    parser.add_argument("--only", nargs="+", help="only rows whose names contain one of these")
    arguments = parser.parse_args()
    size = arguments.size or {"squeezenet": 227}.get(arguments.network)
    paths, labels = flowers17.load(DATA)
    extractor = ActivationExtractor(
        **NETWORKS[arguments.network],
        views=Pyramid(n_scales=1, base=size, aspect="keep" if arguments.keep_aspect else "warp"),
        dtype="float16",
        memory=arguments.cache,
    )
    maps = extractor.fit_transform(paths)
    print(
        f"{maps!r}, grids {[maps.grid(layer)[0, 0].tolist() for layer in maps.layers]}", flush=True
    )
    maps = matched_once(maps)
    scores = {}
    for seed, train, test in flowers17.splits(labels, arguments.seeds):
        for name, encoder in rows(*maps.layers, seed):
            if arguments.only and not any(part in name for part in arguments.only):
                continue
            found = scores.setdefault(name, [])
            found.append(accuracy(encoder, maps, labels, train, test))
            print(f"{name}: {found[-1]:.2f}", flush=True)
            if getattr(encoder, "n_guidance_filters", None):
                curve = np.array(encoder.loss_curve_)[[0, 4, 9, 19, 49]]
                print(f"  loss after 1, 5, 10, 20, 50 epochs: {curve.round(4)}", flush=True)
    print(f"\n{'':40}name order   random splits")
    for name, (by_name, *at_random) in scores.items():
        spread = f"{np.mean(at_random):6.2f} +- {np.std(at_random):.2f}" if at_random else ""
        print(f"{name:40}{by_name:10.2f}   {spread}")


if __name__ == "__main__":
    main()
