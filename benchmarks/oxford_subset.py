"""The Oxford Buildings subset: its images, its ten standard queries and the right answers.

    python -m benchmarks.oxford_subset SUBSET OUT [--distractors 60] [--whole]

writes it in the layout of Oxford5k, its images as links, for `skdeepenc reproduce PAPER --data`.
With ``--whole`` every right image of a landmark asks whole for the others: ten times the queries.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from skdeepenc.maps import FeatureMaps
from skdeepenc.metrics import mean_average_precision


class Oxford:
    """The images, the queries and the right answers.

    `folder` is ``images/oxford5k_subset`` of the data. Boxes and sizes of the queries, y before x,
    are those of the original images, which were larger.
    """

    def __init__(self, folder):
        truth = json.loads((folder / "gnd_subset.json").read_text())
        self.paths = [folder / "jpg" / f"{name}.jpg" for name in truth["images"]]
        position = {name: number for number, name in enumerate(truth["images"])}
        self.queries = [position[query["image"]] for query in truth["standard_queries"]]
        boxes = np.array([query["bbox_orig_xyxy"] for query in truth["standard_queries"]])
        sizes = [truth["orig_size_wh"][truth["images"][query]] for query in self.queries]
        self.sizes = np.array(sizes, dtype=float)[:, ::-1]
        self.boxes = boxes[:, [1, 0, 3, 2]]
        self.landmarks = {
            landmark["name"]: [
                [position[name] for name in landmark[kind]] for kind in ("ok", "junk")
            ]
            for landmark in truth["landmarks"]
        }
        answers = [self.landmarks[query["landmark"]] for query in truth["standard_queries"]]
        self.positives, self.junk = map(list, zip(*answers, strict=True))

    def measure(self, rankings):
        """Return the mean average precision, in percent."""
        return 100 * mean_average_precision(rankings, self.positives, self.junk)

    def leave_one_out(self, vectors):
        """Return the mean average precision, in percent, of whole images as queries.

        Every right image of a landmark asks for the others: ten times as many queries as the
        standard ones.
        """
        queries, positives, junk = self.whole_queries()
        rankings = np.argsort(-vectors[queries] @ vectors.T, axis=1, kind="stable")
        return 100 * mean_average_precision(rankings, positives, junk)

    def whole_queries(self):
        """Return every right image of a landmark as a query, its right answers and what is junk."""
        queries, positives, junk = [], [], []
        for right, passable in self.landmarks.values():
            for query in right if len(right) > 1 else []:
                queries.append(query)
                positives.append([image for image in right if image != query])
                junk.append([query, *passable])
        return queries, positives, junk

    def keep_distractors(self, n_kept):
        """Leave out images of no landmark but some, and return the old numbers of the others."""
        named = {*self.queries, *np.concatenate([np.r_[*each] for each in self.landmarks.values()])}
        others = np.setdiff1d(np.arange(len(self.paths)), list(named))
        some = np.random.default_rng(0).permutation(others)[:n_kept]
        kept = np.sort([*named, *some]).astype(int)
        number = {int(image): position for position, image in enumerate(kept)}

        def renumbered(images):
            return [number[image] for image in images]

        self.paths = [self.paths[image] for image in kept]
        self.queries = renumbered(self.queries)
        self.positives = [renumbered(images) for images in self.positives]
        self.junk = [renumbered(images) for images in self.junk]
        self.landmarks = {
            name: [renumbered(images) for images in parts] for name, parts in self.landmarks.items()
        }
        return kept

    def cropped_images(self):
        """Yield the image inside the box of each query."""
        for query, box, size in zip(self.queries, self.boxes, self.sizes, strict=True):
            with Image.open(self.paths[query]) as image:
                y0, x0, y1, x1 = box * np.tile([image.height, image.width], 2) / np.tile(size, 2)
                yield image.convert("RGB").crop([round(side) for side in (x0, y0, x1, y1)])

    def maps_of_crops(self, extract):
        """Return the maps of the cropped images, given ``extract(images, shorter_edge)``.

        They keep the scale of the gallery, so every crop goes with its own shorter edge.
        """
        parts = [extract([crop], min(crop.size)) for crop in self.cropped_images()]
        layers = {layer: [part[0][layer] for part in parts] for layer in parts[0].layers}
        return FeatureMaps.from_layers(layers)


def write_layout(oxford, out, *, whole=False):
    """Write links to the images, and the queries in text files as Oxford5k has them."""
    (out / "jpg").mkdir(parents=True)
    for path in oxford.paths:
        (out / "jpg" / path.name).symlink_to(path.resolve())
    queries, positives, junk = oxford.queries, oxford.positives, oxford.junk
    if whole:
        queries, positives, junk = oxford.whole_queries()
    for number, query in enumerate(queries):
        box = _box(oxford, number, whole)
        names = {"good": positives[number], "ok": [], "junk": junk[number]}
        _write(out / f"{number:03d}_query.txt", [f"{oxford.paths[query].stem} {box}"])
        for kind, images in names.items():
            _write(out / f"{number:03d}_{kind}.txt", [oxford.paths[image].stem for image in images])


def _box(oxford, number, whole):
    """Return left, top, right and bottom of a query, in pixels of the files, as text."""
    query = (oxford.whole_queries()[0] if whole else oxford.queries)[number]
    with Image.open(oxford.paths[query]) as image:
        size = np.array([image.height, image.width])
    box = np.array([0, 0, *size]) if whole else oxford.boxes[number]
    scale = 1 if whole else size / oxford.sizes[number]
    y0, x0, y1, x1 = box * np.tile(scale, 2 if np.ndim(scale) else 4)
    return f"{x0:.1f} {y0:.1f} {x1:.1f} {y1:.1f}"


def _write(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("subset", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--distractors", type=int, help="images of no landmark; all by default")
    parser.add_argument("--whole", action="store_true", help="every right image asks, whole")
    options = parser.parse_args()
    oxford = Oxford(options.subset)
    if options.distractors is not None:
        oxford.keep_distractors(options.distractors)
    write_layout(oxford, options.out, whole=options.whole)


if __name__ == "__main__":
    main()
