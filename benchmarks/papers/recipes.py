"""Measure what `image_pipeline` recommends against plain averages and the papers' own settings.

    python -m benchmarks.papers.recipes --memory CACHE [--networks squeezenet embedded] [--out FILE]

Classification is of Oxford Flowers 17: accuracy of the split by name and of seeded stratified ones.
Instance retrieval is of the Oxford subset, everything learned from the gallery: mean average
precision of the ten standard queries, cropped to their boxes, and of the right images, each asking
whole for the others of its landmark. Each figure has its gain over the average with the 95 %
interval of a paired bootstrap over test images or queries. Prints one table in Markdown; `--out`
writes the same as JSON. ``--per-class`` and ``--distractors`` make both sets smaller, ``--base``
the images of pyramids: VGG-16 takes a second per image on one core. ``--parts`` adds what recipes
are made of.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from benchmarks import flowers17
from benchmarks.networks import CAFFE, SQUEEZENET
from benchmarks.oxford_subset import Oxford
from skdeepenc import image_pipeline
from skdeepenc.encoders import ClusterMAC, GlobalPooler, MOPVLADEncoder, PowerLawWhitening
from skdeepenc.images import Preprocessing
from skdeepenc.metrics import average_precision
from skdeepenc.retrieval import NearestNeighborRanker

SIZES = ("fast", "default", "best")
NETWORKS = {
    "squeezenet": (SQUEEZENET, CAFFE),
    "vgg16": (
        "weights/vgg16_conv.onnx",
        Preprocessing((103.939, 116.779, 123.68), (1, 1, 1), channel_order="BGR", scale=1),
    ),
    "mobilenet_v2": (
        "weights/mobilenet_v2_1.0_224_quant_float.onnx",
        Preprocessing((128,) * 3, (128,) * 3, scale=1),
    ),
    "embedded": ("embedded", None),
}
# The ranker of the recipe for instances, with something left out.
RANKERS = {
    "channels without the average": {"average_weight": 0},
    "their signs": {"average_weight": 0, "quantize": "sign"},
    "all channels": {"average_weight": 0, "n_channels": None},
}
PAPERS_VLAD = MOPVLADEncoder(sigma=10.0, random_state=0)


def pipelines(task, options, network):
    """Yield the name of each row and its pipeline, the average first."""
    file, preprocessing = NETWORKS[network]
    model = file if file == "embedded" else options.data / file

    def make(size="default", **steps):
        pipeline = image_pipeline(task, model, memory=options.memory, size=size, random_state=0)
        settings = {"preprocessing": preprocessing, "dtype": "float16", "n_threads": 1}
        pipeline[0].set_params(batch_size=4, **settings)
        if options.base and getattr(pipeline[0].views, "n_scales", 1) > 1:
            pipeline[0].set_params(views__base=options.base)
        return _with_steps(pipeline, **steps)

    others = _for_classes if task == "classification" else _for_instances
    yield from others(options, make)
    for size in options.sizes:
        yield f"image_pipeline, {size}", make(size)


def _for_classes(options, make):
    """Yield what the recipe for classification is compared with, the average first."""
    plain = make("fast", encoder=GlobalPooler(), last=LinearSVC(C=10, random_state=0))
    yield "average", plain
    if options.papers:
        yield "MOP-VLAD, the paper's settings", make(encoder=PAPERS_VLAD)
        yield "MOP-VLAD, defaults", make(encoder=clone(PAPERS_VLAD).set_params(sigma="auto"))
    if options.parts:
        yield "MOP-VLAD without the average", make(encoder=make()[1].transformer_list[0][1])


def _for_instances(options, make):
    """Yield what the recipe for instances is compared with, the average first."""
    ranked = {"last": NearestNeighborRanker()}
    yield "average", make(encoder=GlobalPooler(), **ranked)
    if options.papers:
        regions = ClusterMAC(regions="rmac", random_state=0)
        yield "R-MAC, whitened", make(encoder=regions, **ranked)
        clusters = ClusterMAC(n_color_clusters=0, random_state=0)
        yield "ClusterMAC, defaults without colours", make(encoder=clusters, **ranked)
    if options.parts:
        whitened = make_pipeline(GlobalPooler(), PowerLawWhitening(128))
        yield "whitened average", make(encoder=whitened, **ranked)
        for name, left_out in RANKERS.items():
            yield name, make(last=clone(make()[2]).set_params(**left_out))


def _with_steps(pipeline, encoder=None, last=None):
    """Return the pipeline with another encoder or last step."""
    names = list(pipeline.named_steps)
    given = {names[1]: encoder, names[2]: last}
    return pipeline.set_params(**{name: step for name, step in given.items() if step is not None})


def classify(options, network):
    """Yield the name of each row and, for every test image of every split, whether it was right."""
    paths, labels = flowers17.load(options.data)
    chosen = np.sort(np.r_[flowers17.split_by_name(labels, options.per_class, options.per_class)])
    paths, labels = [paths[image] for image in chosen], labels[chosen]
    for name, pipeline in pipelines("classification", options, network):
        maps = pipeline[0].fit_transform(paths)
        correct = []
        for _, train, test in flowers17.splits(labels, options.seeds, options.per_class):
            rest = clone(pipeline[1:]).fit(maps[train], labels[train])
            correct.append(100.0 * (rest.predict(maps[test]) == labels[test]))
        yield name, {"accuracy": np.concatenate(correct)}


def retrieve(options, network):
    """Yield the name of each row and the average precision of every query."""
    oxford = Oxford(options.data / "images" / "oxford5k_subset")
    if options.distractors is not None:
        oxford.keep_distractors(options.distractors)
    whole, positives, junk = oxford.whole_queries()
    encoded = {}
    for name, pipeline in pipelines("instance-retrieval", options, network):
        encoder = pipeline[:-1]
        key = str(encoder.get_params())  # rows differ in their rankers alone
        if key not in encoded:
            encoded[key] = _encoded(oxford, encoder)
        gallery, crops = encoded[key]
        ranker = pipeline[-1].fit(gallery)
        yield (
            name,
            {
                "ten cropped": precisions(ranker.rank(crops), oxford.positives, oxford.junk),
                "whole": precisions(ranker.rank(gallery[whole]), positives, junk),
            },
        )


def _encoded(oxford, pipeline):
    """Return the vectors of the gallery, that everything is learned from, and of the crops."""
    maps = pipeline[0].fit_transform(oxford.paths)
    crops = oxford.maps_of_crops(_extract_crops(pipeline[0]))
    return pipeline[1].fit_transform(maps), pipeline[1].transform(crops)


def _extract_crops(extractor):
    """Return what extracts a crop at the scale of the gallery, whose shorter edges are 320."""

    def extract(images, shorter_edge):
        base = max(round(shorter_edge * extractor.views.base / 320), 32)
        return clone(extractor).set_params(views__base=base).fit_transform(images)

    return extract


def precisions(rankings, positives, junk):
    """Return the average precision of every query, in percent."""
    queries = zip(rankings, positives, junk, strict=True)
    return np.array([100 * average_precision(*query) for query in queries])


def gains(values, plain, n_draws=2000):
    """Return the mean gain of paired values, and the ends of its 95 % interval."""
    differences = values - plain
    draws = np.random.default_rng(0).integers(0, len(differences), (n_draws, len(differences)))
    low, high = np.quantile(differences[draws].mean(axis=1), [0.025, 0.975])
    return float(differences.mean()), float(low), float(high)


def records(options):
    """Yield every figure of the table."""
    for name in options.sets:
        for network in options.networks:
            yield from _records_of(name, network, SETS[name](options, network))


def _records_of(name, network, results):
    plain = None
    for row, values in results:
        plain = values if plain is None else plain
        for measure, found in values.items():
            gain, *interval = gains(found, plain[measure])
            yield {
                "set": name,
                "measure": measure,
                "network": network,
                "row": row,
                "value": float(found.mean()),
                "gain": gain,
                "interval": interval,
                "n": len(found),
            }


SETS = {"flowers17": classify, "oxford": retrieve}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SKDEEPENC_DATA", ".")))
    parser.add_argument("--memory", type=Path, help="folder to remember activations in")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=SIZES)
    parser.add_argument(
        "--no-papers", dest="papers", action="store_false", help="leave out the papers' settings"
    )
    parser.add_argument("--parts", action="store_true", help="what recipes are made of, as well")
    parser.add_argument("--per-class", type=int, default=40, help="images to train and to test by")
    parser.add_argument(
        "--base", type=int, help="smallest side of pyramids; by default the network's"
    )
    parser.add_argument("--seeds", type=int, default=3, help="random splits beside that by name")
    parser.add_argument("--distractors", type=int, help="images of no landmark; all by default")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    written = []
    print("| set | measure | network | row | value | gain | 95 % interval |\n|" + " --- |" * 7)
    for record in records(options):
        written.append(record)
        low, high = record["interval"]
        cells = [record[key] for key in ("set", "measure", "network", "row")]
        cells += [f"{record['value']:.1f}", f"{record['gain']:+.1f}", f"{low:+.1f} to {high:+.1f}"]
        print("| " + " | ".join(cells) + " |", flush=True)
    if options.out:
        options.out.write_text(json.dumps(written, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
