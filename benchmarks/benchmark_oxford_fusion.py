"""Layer fusion on the Oxford subset: single layers, sums and mapped sums, in one table.

Layers of SqueezeNet, whole images with their proportions kept, queries cropped to their boxes at
the gallery's scale. Needs the folder named by SKDEEPENC_DATA; `--memory` keeps activations and
words between runs. Words are learned from the gallery itself, as the paper does.

    python benchmarks/benchmark_oxford_fusion.py --memory FOLDER --words 10000 --figure surface.png
"""

import argparse
import json
import os
from itertools import product
from pathlib import Path

import numpy as np
from joblib import Memory
from PIL import Image
from sklearn.preprocessing import binarize

from skdeepenc.encoders import BagOfVisualWords, GlobalPooler
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.images import Preprocessing, Pyramid
from skdeepenc.metrics import mean_average_precision
from skdeepenc.retrieval import LayerFusionRanker

LAYERS = [*(f"fire{n}/concat" for n in range(5, 10)), "conv10_relu"]
SHORTER_EDGE = 320
CAFFE = Preprocessing(mean=(104, 117, 123), std=(1, 1, 1), channel_order="BGR", scale=1)
THRESHOLDS = np.round(np.arange(0, 1.01, 0.1), 1)
POWERS = (0.0, 0.2, 0.45, 0.7, 1.0)


def main():
    """Print the table and, where asked for, draw the surface."""
    arguments = parse_arguments()
    truth = json.loads((arguments.data / "gnd_subset.json").read_text())
    gallery, queries = extract(arguments, truth)
    positives, junk = ground_truth(truth)

    def measure(blocks, **parameters):
        ranker = LayerFusionRanker(**parameters).fit([blocks[0] for blocks in blocks])
        rankings = ranker.rank([blocks[1] for blocks in blocks])
        return 100 * mean_average_precision(rankings, positives, junk)

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
        report(f"{pair}, t = 0.2, p = 0.45", measure([high, low]))
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


def extract(arguments, truth):
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

    folder = arguments.data / "jpg"
    paths = [str(folder / f"{name}.jpg") for name in truth["images"]]
    gallery = extractor(SHORTER_EDGE, arguments.memory).fit_transform(paths)
    queries = []
    for query in truth["standard_queries"]:
        picture = crop(folder, query, truth["orig_size_wh"][query["image"]])
        # The crop keeps the gallery's scale: its own shorter edge is the base.
        queries.append(extractor(min(picture.shape[:2])).fit_transform([picture]))
    return gallery, queries


def crop(folder, query, original_size):
    """Return the pixels inside the query's box, which is given for the original size."""
    with Image.open(folder / f"{query['image']}.jpg") as picture:
        ratio = picture.width / original_size[0]
        box = [round(edge * ratio) for edge in query["bbox_orig_xyxy"]]
        return np.asarray(picture.convert("RGB").crop(box))


def ground_truth(truth):
    """Return positives and junk of each query as gallery indices."""
    index = {name: position for position, name in enumerate(truth["images"])}
    landmarks = {landmark["name"]: landmark for landmark in truth["landmarks"]}
    lists = [landmarks[query["landmark"]] for query in truth["standard_queries"]]
    return (
        [[index[name] for name in landmark["ok"]] for landmark in lists],
        [[index[name] for name in landmark["junk"]] for landmark in lists],
    )


def average(gallery, queries, layer):
    """Return average-pooled vectors of the gallery and the queries."""
    pooler = GlobalPooler(layer=layer).fit(gallery)
    return pooler.transform(gallery), stack(pooler, queries, layer)


def count_words(arguments, gallery, queries, layer, n_words):
    """Return the words of the gallery and the queries, remembered between runs."""

    def compute(layer, n_words, max_samples):
        maps = gallery.select(layers=[layer])
        encoder = BagOfVisualWords(
            n_words=n_words, max_samples=max_samples, random_state=0, verbose=1
        ).fit(maps)
        print(f"{layer}: {encoder.n_words_} words, agreement {encoder.agreement_:.3f}", flush=True)
        return encoder.transform(maps), stack(encoder, queries, layer)

    if arguments.memory is None:
        return compute(layer, n_words, arguments.max_samples)
    path = Path(arguments.memory) / f"words_{layer.split('/')[0]}_{n_words}_{arguments.max_samples}"
    return Memory(path, verbose=0).cache(compute)(layer, n_words, arguments.max_samples)


def stack(encoder, queries, layer):
    """Encode queries of different sizes one by one."""
    rows = [encoder.transform(query.select(layers=[layer])) for query in queries]
    return np.vstack([row.toarray() if hasattr(row, "toarray") else row for row in rows])


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
    parser.add_argument("--model", default=str(data / "weights" / "squeezenet1_0_deepcomp.onnx"))
    parser.add_argument("--memory", default=None)
    parser.add_argument("--words", type=int, nargs="*", default=[10_000])
    parser.add_argument("--word-layers", nargs="*", default=["fire8/concat"])
    parser.add_argument("--max-samples", type=int, default=400_000)
    parser.add_argument("--n-threads", type=int, default=None)
    parser.add_argument("--figure", default=None)
    return parser.parse_args()


if __name__ == "__main__":
    main()
