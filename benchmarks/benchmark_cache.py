"""A second pass through the cache against the first, on JPEG files.

The first pass runs the network and writes; the second reads the files, recognises them and reads
the maps back. Each round starts from an empty folder. "read" includes every value; "known again"
is a pass in a process that has seen the files before, as the folds of a grid search do.

    python benchmarks/benchmark_cache.py [--data FOLDER] [--images 128] [--rounds 3]
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
from benchmark_extraction import make_alexnet, make_jpegs

from skdeepenc.extraction import ActivationExtractor, sources
from skdeepenc.images import Pyramid, Whole


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default=os.environ.get("SKDEEPENC_DATA"))
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = make_jpegs(Path(folder), arguments.images, arguments.data)
        model = Path(folder) / "alexnet.onnx"
        onnx.save(make_alexnet(), model)
        compare("fc7", files, arguments.rounds, model=model, layers="fc7", views=Whole())
        pyramid = Pyramid(n_scales=4)
        compare(
            "conv5 at 4 scales, float16",
            files[: len(files) // 4],
            arguments.rounds,
            model=model,
            layers="conv5",
            views=pyramid,
            dtype="float16",
        )


def compare(name, files, rounds, **parameters):
    """Time both passes in turn and print the middle ratios."""
    ratios = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as memory:
            extractor = ActivationExtractor(memory=memory, n_jobs=2, **parameters).fit(files)
            first = timed(extractor, files)
            sources._DIGESTS.clear()  # as a new process would begin
            second = timed(extractor, files)
            again = timed(extractor, files)
        ratios.append((second / first, again / first))
        per_image = ", ".join(f"{1e3 * seconds / len(files):.2f}" for seconds in (first, second))
        print(f"{name}: first and second pass {per_image} ms an image, ratio {second / first:.3f}")
    second, again = np.median(ratios, axis=0)
    print(f"{name}: middle ratio {second:.3f}, known again {again:.3f}, target 0.2\n")


def timed(extractor, files):
    start = time.perf_counter()
    maps = extractor.transform(files)
    for batch in maps.iter_batches():
        batch.values(maps.layers[0])
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
