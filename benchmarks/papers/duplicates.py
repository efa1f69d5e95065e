"""Measure how well copies of images are found, each in five ways not quite what it was.

    python -m benchmarks.papers.duplicates [--networks embedded squeezenet] [--originals 300]

Photographs of Oxford Flowers 17 and of the Oxford subset, half and half; of some of them the copies
are compressed, smaller, cropped, brighter and mirrored. The recipe `image_pipeline("duplicates")`
is measured, and it again with other poolings in the place of the average. Groups are those of
`ImageIndex.duplicates` at the automatic threshold: precision and recall of pairs, and the recall of
each kind of copy with its original. Mean average precision is of originals that ask for one kind
of copy among everything but their other copies. Prints one table in Markdown.
"""

import argparse
import os
from itertools import combinations
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from benchmarks import flowers17
from benchmarks.oxford_subset import Oxford
from benchmarks.papers.recipes import NETWORKS
from skdeepenc import image_pipeline
from skdeepenc.encoders import GlobalPooler
from skdeepenc.metrics import average_precision
from skdeepenc.search import ImageIndex

POOLINGS = {"average": "avg", "generalized means": "gem", "regions": "rmac"}
QUALITY = {"compressed": 20}


def halved(image):
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)


def cropped(image):
    """Return the image without a tenth of its width and height."""
    x, y = image.width // 20, image.height // 20
    return image.crop((x, y, image.width - x, image.height - y))


KINDS = {
    "compressed": lambda image: image,
    "half the size": halved,
    "cropped by 10 %": cropped,
    "brighter by 30 %": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "mirrored": ImageOps.mirror,
}


def make_collection(folder, data, n_originals, n_copied):
    """Write originals and copies into a folder, named by the number of their original."""
    flowers, _ = flowers17.load(data)
    buildings = Oxford(data / "images" / "oxford5k_subset").paths
    rng = np.random.default_rng(0)
    halves = [rng.permutation(np.array(paths, str)) for paths in (flowers, buildings)]
    originals = np.stack([half[: n_originals // 2] for half in halves], axis=1).ravel()
    for number, path in enumerate(originals):
        copyfile(path, folder / f"{number} original.jpg")
    for number, path in enumerate(originals[:n_copied]):
        with Image.open(path) as image:
            for kind, change in KINDS.items():
                copy = change(image.convert("RGB"))
                copy.save(folder / f"{number} {kind}.jpg", quality=QUALITY.get(kind, 90))


def recipe(options, network, pooling, memory):
    """Return the recipe for duplicates, with a pooling."""
    file, preprocessing = NETWORKS[network]
    model = file if file == "embedded" else options.data / file
    pipeline = image_pipeline("duplicates", model, memory=memory)
    pipeline[0].set_params(preprocessing=preprocessing, n_threads=1, batch_size=8)
    name = list(pipeline.named_steps)[1]
    return pipeline.set_params(**{name: GlobalPooler(method=pooling)})


def measure(index, n_copied):
    """Return the figures of one row."""
    table = index.duplicates()
    groups = [set(each["image"].map(stem)) for _, each in table.groupby("group")]
    found = {pair for group in groups for pair in combinations(sorted(group), 2)}
    named = [f"{number} {kind}" for number in range(n_copied) for kind in ("original", *KINDS)]
    true = {
        pair
        for number in range(n_copied)
        for pair in combinations(sorted(name for name in named if number_of(name) == number), 2)
    }
    kinds = {
        kind: [
            tuple(sorted((f"{number} original", f"{number} {kind}"))) in found
            for number in range(n_copied)
        ]
        for kind in KINDS
    }
    return {
        "pairs found": len(found),
        "precision": 100 * len(found & true) / max(len(found), 1),
        "recall": 100 * len(found & true) / len(true),
        **{kind: 100 * np.mean(each) for kind, each in kinds.items()},
    }


def precisions_by_kind(index, folder, n_copied):
    """Return the mean average precision of originals that ask for copies, by kind."""
    asked = [folder / f"{number} original.jpg" for number in range(n_copied)]
    answers = index.search(asked, len(index)).groupby("query", sort=False)
    found = {kind: [] for kind in KINDS}
    for number, (_, answer) in enumerate(answers):
        ranked = answer["image"].map(stem).tolist()
        own = [name for name in ranked if number_of(name) == number]
        for kind, precisions in found.items():
            right = f"{number} {kind}"
            junk = [name for name in own if name != right]
            precisions.append(100 * average_precision(ranked, [right], junk))
    return {f"mAP, {kind}": np.mean(precisions) for kind, precisions in found.items()}


def stem(name):
    return Path(name).stem


def number_of(name):
    return int(name.split()[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SKDEEPENC_DATA", ".")))
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=["embedded"])
    parser.add_argument("--originals", type=int, default=300, help="photographs")
    parser.add_argument("--copied", type=int, default=50, help="those that have copies")
    options = parser.parse_args()
    heading = ["network", "pooling", "pairs found", "precision", "recall", *KINDS]
    heading += [f"mAP, {kind}" for kind in KINDS]
    print("| " + " | ".join(heading) + " |\n|" + " --- |" * len(heading))
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) / "images"
        folder.mkdir()
        make_collection(folder, options.data, options.originals, options.copied)
        for network in options.networks:
            for row, pooling in POOLINGS.items():
                encoder = recipe(options, network, pooling, Path(temporary) / "memory")
                index = ImageIndex.build(encoder, folder, Path(temporary) / f"{network} {pooling}")
                figures = measure(index, options.copied)
                figures |= precisions_by_kind(index, folder, options.copied)
                cells = [network, row, *(f"{figure:.4g}" for figure in figures.values())]
                print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
