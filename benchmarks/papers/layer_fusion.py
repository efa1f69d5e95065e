"""Layer fusion on the Oxford subset: single layers, sums and mapped sums, in one table.

Layers of SqueezeNet, whole images with their proportions kept, queries cropped to their boxes at
the gallery's scale. Needs the folder named by SKDEEPENC_DATA; `--memory` keeps activations and
words between runs. Words are learned from the gallery itself, as the paper does.

    python -m benchmarks.papers.layer_fusion --memory FOLDER --words 10000 --figure surface.png
"""

import argparse
import os
from itertools import product
from pathlib import Path

import numpy as np
from joblib import Memory
from sklearn.preprocessing import binarize

from benchmarks.networks import CAFFE, SQUEEZENET
from benchmarks.oxford_subset import Oxford
from skdeepenc.encoders import BagOfVisualWords, GlobalPooler
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.images import Pyramid
from skdeepenc.retrieval import LayerFusionRanker

LAYERS = [*(f"fire{n}/concat" for n in range(5, 10)), "conv10_relu"]
SHORTER_EDGE = 320
THRESHOLDS = np.round(np.arange(0, 1.01, 0.1), 1)
POWERS = (0.0, 0.2, 0.45, 0.7, 1.0)


def main():
    """Print the table and, where asked for, draw the surface."""
    arguments = parse_arguments()
    oxford = Oxford(arguments.data)
    gallery, queries = extract(arguments, oxford)

    def measure(blocks, **parameters):
        ranker = LayerFusionRanker(**parameters).fit([blocks[0] for blocks in blocks])
        return oxford.measure(ranker.rank([blocks[1] for blocks in blocks]))

    averages = {name: average(gallery.select(layers=[name]), queries, name) for name in LAYERS}
    for name, vectors in averages.items():
        report(f"{name}, average", measure([vectors]))
    words = {
        (name, count): count_words(arguments, gallery, queries, name, count)
        for name, count in product(arguments.word_layers, arguments.words)
    }
    words |= {
        (f"{name} binary", count): tuple(map(binarize, vectors))
        for (name, count), vectors in words.items()
    }
    for (name, count), vectors in words.items():
        report(f"{name}, {count} words", measure([vectors]))
    tables(averages, words, measure)
    if arguments.figure and words:
        draw_surface(averages["conv10_relu"], next(iter(words.values())), measure, arguments.figure)


def tables(averages, words, measure):
    """Print sums of layers, plain and mapped, dense and in words."""
    highs = {"conv10 average": averages["conv10_relu"], "fire9 average": averages["fire9/concat"]}
    lows = {f"{name} average": averages[name] for name in ("fire8/concat", "fire9/concat")}
    lows |= {f"{name} {count} words": vectors for (name, count), vectors in words.items()}
    for (high_name, high), (low_name, low) in product(highs.items(), lows.items()):
        if high_name.startswith("fire9") and low_name.startswith("fire9"):
            continue
        pair = f"{high_name} + {low_name}"
        report(f"{pair}, concatenated", measure([high, low], power=1))
        report(f"{pair}, t = 0.2, p = 0.45", measure([high, low], thresholds=(0.2, 1)))
        report(f"{pair}, learned t, p = 0.45", measure([high, low]))
        quantiles = {"thresholds": (0.5, 1.0), "threshold_mode": "quantile"}
        report(f"{pair}, t = median, p = 0.45", measure([high, low], **quantiles))
    for low_name, low in lows.items():
        three = [averages["conv10_relu"], averages["fire9/concat"], low]
        if low_name.startswith("fire9"):
            continue
        name = f"conv10 + fire9 averages + {low_name}"
        report(f"{name}, concatenated", measure(three, thresholds=(1, 1, 1)))
        report(f"{name}, t = 0.2, 0.4", measure(three, thresholds=(0.2, 0.4, 1)))
        quantiles = {"thresholds": (0.5, 0.7, 1.0), "threshold_mode": "quantile"}
        report(f"{name}, t = quantiles 0.5, 0.7", measure(three, **quantiles))


def extract(arguments, oxford):
    """Return the gallery's maps, and those of each query cropped to its box."""

    def extractor(base, memory=None):
        return ActivationExtractor(
            arguments.model,
            layers=LAYERS,
            views=Pyramid(n_scales=1, base=base, aspect="keep"),
            preprocessing=CAFFE,
            dtype="float16",
            n_threads=arguments.n_threads,
            memory=memory,
        )

    gallery = extractor(SHORTER_EDGE, arguments.memory).fit_transform(oxford.paths)
    queries = oxford.maps_of_crops(
        lambda images, shorter_edge: extractor(shorter_edge).fit_transform(images)
    )
    return gallery, queries


def average(gallery, queries, layer):
    """Return average-pooled vectors of the gallery and the queries."""
    pooler = GlobalPooler(layer=layer).fit(gallery)
    return pooler.transform(gallery), pooler.transform(queries.select(layers=[layer]))


def count_words(arguments, gallery, queries, layer, n_words):
    """Return the words of the gallery and the queries, remembered between runs."""

    def compute(layer, n_words, max_samples):
        maps = gallery.select(layers=[layer])
        encoder = BagOfVisualWords(
            n_words=n_words, max_samples=max_samples, random_state=0, verbose=1
        ).fit(maps)
        print(f"{layer}: {encoder.n_words_} words, agreement {encoder.agreement_:.3f}", flush=True)
        return encoder.transform(maps), encoder.transform(queries.select(layers=[layer]))

    if arguments.memory is None:
        return compute(layer, n_words, arguments.max_samples)
    path = Path(arguments.memory) / f"words_{layer.split('/')[0]}_{n_words}_{arguments.max_samples}"
    return Memory(path, verbose=0).cache(compute)(layer, n_words, arguments.max_samples)


def draw_surface(high, low, measure, path):
    """Draw mean average precision over thresholds and powers."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    surface = np.array(
        [[measure([high, low], thresholds=(t, 1), power=p) for t in THRESHOLDS] for p in POWERS]
    )
    for power, row in zip(POWERS, surface, strict=True):
        print(f"p = {power:4.2f}: " + " ".join(f"{value:5.1f}" for value in row))
    figure, axes = pyplot.subplots(figsize=(6, 3.5), layout="constrained")
    for power, row in zip(POWERS, surface, strict=True):
        axes.plot(THRESHOLDS, row, marker="o", markersize=3, label=f"p = {power}")
    axes.set(xlabel="threshold t of the high layer", ylabel="mAP (%)")
    axes.legend()
    figure.savefig(path, dpi=150)


def report(name, value):
    """Print one line of the table."""
    print(f"{name:70s} {value:5.1f}", flush=True)


def parse_arguments():
    """Read the command line."""
    data = Path(os.environ.get("SKDEEPENC_DATA", "."))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=data / "images" / "oxford5k_subset")
    parser.add_argument("--model", default=str(data / SQUEEZENET))
    parser.add_argument("--memory", default=None)
    parser.add_argument("--words", type=int, nargs="*", default=[10_000])
    parser.add_argument("--word-layers", nargs="*", default=["fire8/concat"])
    parser.add_argument("--max-samples", type=int, default=400_000)
    parser.add_argument("--n-threads", type=int, default=None)
    parser.add_argument("--figure", default=None)
    return parser.parse_args()


if __name__ == "__main__":
    main()
