"""Measure the methods since the five papers on the deepest maps of a network, extracted once.

    python -m benchmarks.papers.further --maps FOLDER [--network squeezenet] [--distractors 200]

Retrieval is of the Oxford subset, squeezed to squares (``--side`` 320 pixels): mean average
precision of the right images, each asking whole for the others of its landmark, and of the ten
standard queries, whose boxes are cut out of their maps; everything is learned from the gallery.
Whitening is of Oxford Flowers 17, learned from half of the images and their labels; each of the
others asks for those of its class. Gains over the average have the 95 % interval of a paired
bootstrap over queries. Prints one table in Markdown.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from sklearn.pipeline import make_pipeline

from benchmarks import flowers17
from benchmarks.oxford_subset import Oxford
from benchmarks.papers.recipes import NETWORKS, gains, precisions
from skdeepenc.backbones.survey import survey
from skdeepenc.encoders import (
    BagOfVisualWords,
    GlobalPooler,
    MOPVLADEncoder,
    PowerLawWhitening,
    SupervisedWhitening,
)
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.images import Whole
from skdeepenc.maps import FeatureMaps
from skdeepenc.retrieval import (
    ASMKRanker,
    DiffusionRanker,
    KReciprocalRanker,
    LocalRanker,
    NearestNeighborRanker,
    RefiningRanker,
    make_retrieval_pipeline,
)

LEARNED = {"random_state": 0, "max_samples": 20_000}
ANYLOC = MOPVLADEncoder(
    n_components=None,
    n_clusters=32,
    n_neighbors=1,
    power=1.0,
    n_output_components=None,
    normalize_descriptors=True,
    intra_normalize=True,
    **LEARNED,
)
WORDS = {"n_words": 2000, "search": "exact", **LEARNED}
WHITENED = make_pipeline(GlobalPooler(), PowerLawWhitening(128))
POOLERS = {
    "average": GlobalPooler(),
    "whitened average: PowerLawWhitening(128)": WHITENED,
    'GlobalPooler(method="gem")': GlobalPooler(method="gem"),
    'GlobalPooler(method=["avg", "gem"])': GlobalPooler(method=["avg", "gem"]),
    "MOPVLADEncoder, AnyLoc's setting": ANYLOC,
    "BagOfVisualWords, counts": BagOfVisualWords(**WORDS),
    "BagOfVisualWords(power=0.5)": BagOfVisualWords(power=0.5, **WORDS),
}
RERANKERS = {
    "KReciprocalRanker": KReciprocalRanker(),
    "DiffusionRanker": DiffusionRanker(),
    "DiffusionRanker(n_neighbors=10, n_query_neighbors=3)": DiffusionRanker(
        n_neighbors=10, n_query_neighbors=3
    ),
    "RefiningRanker": RefiningRanker(),
}
RANKERS = {
    "LocalRanker": LocalRanker(),
    'LocalRanker(matching="mutual")': LocalRanker(matching="mutual"),
    "ASMKRanker": ASMKRanker(**WORDS),
    "ASMKRanker(normalize_descriptors=True)": ASMKRanker(normalize_descriptors=True, **WORDS),
}
ALL = {
    **{
        name: make_retrieval_pipeline(each, NearestNeighborRanker())
        for name, each in POOLERS.items()
    },
    **{
        f"{vectors}, {name}": make_retrieval_pipeline(encoder, ranker)
        for vectors, encoder in {"average": GlobalPooler(), "whitened average": WHITENED}.items()
        for name, ranker in RERANKERS.items()
    },
    **RANKERS,
}
WHITENINGS = {
    "average": None,
    "SupervisedWhitening()": SupervisedWhitening(),
    "SupervisedWhitening(16)": SupervisedWhitening(16),
    "PowerLawWhitening()": PowerLawWhitening(),
    "PowerLawWhitening(128)": PowerLawWhitening(128),
}


def extracted(options, name, images, size):
    """Return the maps of the deepest layer, from the folder if they are there already."""
    folder = options.maps / f"{name}-{options.network}-{size}"
    if not folder.exists():
        file, preprocessing = NETWORKS[options.network]
        model = file if file == "embedded" else options.data / file
        extractor = ActivationExtractor(
            model,
            layers=[survey(model).map],
            views=Whole(size=size),
            preprocessing=preprocessing,
            dtype="float16",
            batch_size=4,
            n_threads=1,
        )
        extractor.fit_transform(images).save(folder)
    return FeatureMaps.load(folder)


def retrieve(options):
    """Yield the name of each method, and the average precisions by measure."""
    oxford = Oxford(options.data / "images" / "oxford5k_subset")
    if options.distractors is not None:
        oxford.keep_distractors(options.distractors)
    name = f"oxford-{len(oxford.paths)}"
    maps = extracted(options, name, oxford.paths, options.side).to_memory()
    whole, positives, junk = oxford.whole_queries()
    crops = maps[oxford.queries].crop(oxford.boxes, oxford.sizes)
    for name, method in ALL.items():
        fitted = method.fit(maps)
        yield (
            name,
            {
                "whole": precisions(fitted.rank(maps[whole]), positives, junk),
                "ten": precisions(fitted.rank(crops), oxford.positives, oxford.junk),
            },
        )


def whiten(options):
    """Yield the name of each whitening, and the average precisions of flowers."""
    paths, labels = flowers17.load(options.data)
    learned, asked = flowers17.split_by_name(labels, options.per_class, options.per_class)
    chosen = np.sort(np.r_[learned, asked])
    maps = extracted(options, f"flowers-{len(chosen)}", [paths[image] for image in chosen], None)
    vectors, labels = GlobalPooler().fit_transform(maps), labels[chosen]
    learned, asked = flowers17.split_by_name(labels, options.per_class)
    classes = labels[asked]
    positives = [
        np.setdiff1d(np.flatnonzero(classes == label), [query])
        for query, label in enumerate(classes)
    ]
    junk = [[query] for query in range(len(asked))]
    for name, whitening in WHITENINGS.items():
        found = vectors[asked]
        if whitening is not None:
            found = whitening.fit(vectors[learned], labels[learned]).transform(found)
        rankings = NearestNeighborRanker().fit(found).rank(found)
        yield name, {"flowers17": precisions(rankings, positives, junk)}


SETS = {"oxford": retrieve, "flowers17": whiten}


def _line(row, values, plain):
    cells = [row]
    for measure, found in values.items():
        gain, low, high = gains(found, plain[measure])
        cells.append(f"{found.mean():.1f} | {gain:+.1f} ({low:+.1f} to {high:+.1f})")
    return "| " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SKDEEPENC_DATA", ".")))
    parser.add_argument("--maps", type=Path, required=True, help="folder to keep maps in")
    parser.add_argument("--network", choices=NETWORKS, default="squeezenet")
    parser.add_argument("--side", type=int, default=320, help="of the squares, in pixels")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--distractors", type=int, help="images of no landmark; all by default")
    parser.add_argument("--per-class", type=int, default=40, help="flowers to learn and to ask by")
    options = parser.parse_args()
    options.maps.mkdir(parents=True, exist_ok=True)
    for measure in map(SETS.get, options.sets):
        plain = None
        for row, values in measure(options):
            if plain is None:
                plain = values
                measures = "".join(f" {each} | gain (95 % interval) |" for each in values)
                print(f"| method |{measures}\n|" + " --- |" * (1 + 2 * len(values)))
            print(_line(row, values, plain), flush=True)


if __name__ == "__main__":
    main()
