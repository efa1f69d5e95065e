"""Compare ways to pool the scales of a network on Oxford Flowers 17 (Yoo et al., table 6).

    SKDEEPENC_DATA=data python -m benchmarks.papers.fisher embedded --cache folder
    SKDEEPENC_DATA=data python -m benchmarks.papers.fisher squeezenet --cache folder

Rows: the global activation, the average of ten crops (AP10), the Fisher vector of each scale
alone, of all scales at once (NFK), side by side (CSF) and averaged (MPP). Columns: the split by
name order, then the mean and spread of seeded stratified splits, 40 training and 40 test images a
class each. Components and mixture are learned from training images, C of the linear SVM by
cross-validation on them. The seed of a random split is the encoder's seed too.
"""

import argparse
import os
import time
from itertools import chain
from pathlib import Path

import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.svm import LinearSVC

from benchmarks import flowers17
from benchmarks.networks import CAFFE, SQUEEZENET
from skdeepenc.encoders import GlobalPooler, MultiScaleFisherEncoder
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.functional import l2_normalize, power_normalize
from skdeepenc.images import Crops, Pyramid

DATA = Path(os.environ.get("SKDEEPENC_DATA", "."))
NETWORKS = {
    "embedded": {"model": "embedded", "layers": "fc7"},  # takes 64 pixels a side
    "squeezenet": {
        "model": DATA / SQUEEZENET,
        "layers": "fire9/concat",
        "preprocessing": CAFFE,
    },
}


def accuracy(vectors, labels, train, test):
    """Return the test accuracy, in percent, of a linear SVM.

    A linear SVM sees vectors through their products alone, so they are first turned into the
    coordinates of the space that the training vectors span: 680 values for 65,536.
    """
    products = np.asarray(vectors @ vectors[train].T, dtype=np.float64)
    variances, axes = np.linalg.eigh(products[train])
    kept = variances > 1e-10 * variances[-1]
    coordinates = products @ (axes[:, kept] / np.sqrt(variances[kept]))
    search = GridSearchCV(LinearSVC(), {"C": [1, 10, 100]}, cv=3)
    search.fit(coordinates[train], labels[train])
    return 100 * search.score(coordinates[test], labels[test])


def pooled_variants(arguments, maps, train, seed):
    """Yield name and vectors of every way to pool, all with the vocabulary of one fit.

    CSF without power normalisation holds the unit vectors of all scales side by side; each of
    them, their mean and their concatenation become the rows when power and L2 follow.
    """
    encoder = MultiScaleFisherEncoder(
        n_components=arguments.components,
        n_gaussians=arguments.gaussians,
        max_samples=arguments.samples,
        random_state=seed,
        pooling="nfk",
    ).fit(maps[train])
    yield "NFK", encoder.transform(maps)
    side_by_side = encoder.set_params(pooling="csf", power=1).transform(maps)
    by_scale = side_by_side.reshape(len(maps), maps.n_scales, -1)
    for scale in range(maps.n_scales):
        yield f"FV scale {scale}", l2_normalize(power_normalize(by_scale[:, scale]))
    yield "MPP", l2_normalize(power_normalize(by_scale.mean(axis=1)))
    for vector in side_by_side:  # in place: there are gigabytes of it
        vector[:] = l2_normalize(power_normalize(vector))
    yield "CSF", side_by_side


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--cache", help="folder in which activations are kept")
    parser.add_argument("--scales", type=int, default=5)
    parser.add_argument("--base", type=int, help="smallest side; the network's own by default")
    parser.add_argument("--keep-aspect", action="store_true", help="do not warp to squares")
    parser.add_argument("--components", type=int, default=128)
    parser.add_argument("--gaussians", type=int, default=256)
    parser.add_argument("--samples", type=int, default=256_000)
    parser.add_argument("--seeds", type=int, default=3, help="number of random splits")
    parser.add_argument("--no-crops", action="store_true", help="leave out AP10")
    arguments = parser.parse_args()
    paths, labels = flowers17.load(DATA)
    extractor = ActivationExtractor(
        **NETWORKS[arguments.network], dtype="float16", memory=arguments.cache, verbose=1
    ).fit(paths)
    side = extractor.backbone_.spec.input_size

    def extract(views):
        return extractor.set_params(views=views).fit_transform(paths)

    average = GlobalPooler(method="avg")
    aspect = "keep" if arguments.keep_aspect else "warp"
    whole = Pyramid(n_scales=1, aspect=aspect)
    baselines = {"global": average.fit_transform(extract(whole))}
    if not arguments.no_crops:
        # The paper crops 227 pixels from 256.
        crops = Crops(n=5, flip=True, image_size=round(side * 256 / 227))
        baselines["AP10"] = average.fit_transform(extract(crops))
    maps = extract(Pyramid(n_scales=arguments.scales, base=arguments.base, aspect=aspect))
    scores = {}
    for seed, train, test in flowers17.splits(labels, arguments.seeds):
        start = time.perf_counter()
        rows = chain(baselines.items(), pooled_variants(arguments, maps, train, seed))
        for name, vectors in rows:
            scores.setdefault(name, []).append(accuracy(vectors, labels, train, test))
            print(f"{name}: {scores[name][-1]:.2f}", flush=True)
        print(f"split {len(scores['MPP']) - 1}: {time.perf_counter() - start:.0f} s", flush=True)
    print(f"\n{maps!r}\n{'':12}name order   random splits")
    for name, (by_name, *at_random) in scores.items():
        spread = f"{np.mean(at_random):6.2f} +- {np.std(at_random):.2f}" if at_random else ""
        print(f"{name:12}{by_name:10.2f}   {spread}", flush=True)


if __name__ == "__main__":
    main()
