"""Check what clusters of activations claim, to beat fixed regions, with the paper's network.

    python -m benchmarks.papers.clusters --memory CACHE [--edges 317 384] [--distractors 60]

The paper's network, VGG-16, on images of the Oxford subset that are 422 by 317 and 512 by 384
pixels large (``--edges`` are the shorter ones). Whitening is learned from the gallery, to fewer
dimensions, or from another set, Oxford Flowers 17. Mean average precision of the ten standard
queries, whose boxes are cut out of their maps, and of the right images, each asking whole for the
others of its landmark; gains over the average and over fixed regions have the 95 % interval of a
paired bootstrap over queries. Prints one table in Markdown.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from sklearn.base import clone

from benchmarks import flowers17
from benchmarks.oxford_subset import Oxford
from benchmarks.papers.recipes import NETWORKS, gains, precisions
from benchmarks.papers.regions import SharedClusterMAC
from skdeepenc import image_pipeline
from skdeepenc.encoders import ClusterMAC, GlobalPooler
from skdeepenc.retrieval import NearestNeighborRanker

REGIONS = {
    "maximum": ClusterMAC(regions="mac", random_state=0),
    "fixed regions": ClusterMAC(regions="rmac", random_state=0),
    "clusters": SharedClusterMAC(n_color_clusters=0, random_state=0),
}


def encoders():
    """Yield the name of each row, its encoder, and whether it learns from the other set."""
    yield "average", GlobalPooler(), False
    for name, encoder in REGIONS.items():
        yield name, encoder.set_params(whiten=False), False
    for name, encoder in REGIONS.items():
        few = clone(encoder).set_params(whiten=True, n_output_components=128)
        yield f"{name}, whitened by the gallery to 128", few, False
    for name, encoder in REGIONS.items():
        yield f"{name}, whitened by flowers", encoder.set_params(whiten=True), True


def make_extractor(options, task, **views):
    """Return the extractor of a recipe, at some size of images."""
    file, preprocessing = NETWORKS[options.network]
    model = file if file == "embedded" else options.data / file
    extractor = image_pipeline(task, model, memory=options.memory, size="fast")[0]
    settings = {"preprocessing": preprocessing, "dtype": "float16", "n_threads": 1}
    return extractor.set_params(batch_size=4, **settings, **views)


def learned_from(options):
    """Return the maps of flowers, at the network's own size."""
    paths, labels = flowers17.load(options.data)
    chosen = np.sort(np.r_[flowers17.split_by_name(labels, options.per_class, options.per_class)])
    extractor = make_extractor(options, "classification")
    return extractor.fit_transform([paths[image] for image in chosen]).to_memory()


def measure(options, edge):
    """Yield the name of each row and the average precisions by measure."""
    oxford = Oxford(options.data / "images" / "oxford5k_subset")
    oxford.keep_distractors(options.distractors)
    extractor = make_extractor(options, "instance-retrieval", views__base=edge)
    maps, layer = extractor.fit_transform(oxford.paths).to_memory(), extractor.layers[-1]
    crops = maps[oxford.queries].crop(oxford.boxes, oxford.sizes)
    whole, positives, junk = oxford.whole_queries()
    training = learned_from(options)
    for name, encoder, learns_elsewhere in encoders():
        encoder = encoder.set_params(layer=layer).fit(training if learns_elsewhere else maps)
        vectors, cropped = encoder.transform(maps), encoder.transform(crops)
        ranker = NearestNeighborRanker().fit(vectors)
        yield (
            name,
            {
                "ten": precisions(ranker.rank(cropped), oxford.positives, oxford.junk),
                "whole": precisions(ranker.rank(vectors[whole]), positives, junk),
            },
        )


def interval(found, others):
    """Say how much better some precisions are than others, and how sure that is."""
    gain, low, high = gains(found, others)
    return f"{gain:+.1f} ({low:+.1f} to {high:+.1f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SKDEEPENC_DATA", ".")))
    parser.add_argument("--memory", type=Path, required=True, help="folder that keeps the maps")
    parser.add_argument("--network", choices=NETWORKS, default="vgg16")
    parser.add_argument("--edges", nargs="+", type=int, default=[317, 384], help="shorter edges")
    parser.add_argument("--distractors", type=int, default=60, help="images of no landmark")
    parser.add_argument("--per-class", type=int, default=10, help="half the flowers of a class")
    options = parser.parse_args()
    print("| edge | queries | row | value | over the average | over regions |\n|" + " --- |" * 6)
    for edge in options.edges:
        rows = {}
        for name, values in measure(options, edge):
            rows[name] = values
            regions = rows.get(name.replace("clusters", "fixed regions"), {})
            for queries, found in values.items():
                cells = [str(edge), queries, name, f"{found.mean():.1f}"]
                cells.append(interval(found, rows["average"][queries]))
                cells.append(interval(found, regions.get(queries, found)))
                print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
