"""Time fc7 over a pyramid: the dense head against the network run window by window.

The graph is AlexNet's, with random weights and pooling that rounds down, so that both sides see
the windows of MOP's paper: squares of 227 pixels, 32 apart, on images of side
``ceil(227 * 2 ** (s / 2))``. Both run the same onnxruntime with the same threads, in turns. Windows
are fed one at a time, and in batches of 32, which is the most that a careful user could do; they
take the graph with its fully connected layers as they are. The mean cosine between the two answers
is below one because AlexNet pads its maps: windows see zeros where the image goes on.

    PYTHONPATH=. python benchmarks/benchmark_dense_pyramid.py
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
from clocks import CLOCKS, timed
from onnx import numpy_helper

from skdeepenc.backbones import Backbone, ModelSpec

SIDE, STEP = 227, 32
GRAPH = Path(onnx.__file__).parent / "backend/test/data/light/light_bvlc_alexnet.onnx"


def random_alexnet(seed=0):
    """Return the onnx wheel's AlexNet with random weights, as the content of a file."""
    rng = np.random.default_rng(seed)
    model = onnx.load(GRAPH)
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        if node.op_type == "MaxPool":
            for attribute in node.attribute:
                if attribute.name == "pads":
                    attribute.ints[:] = [0, 0, 0, 0]
        if node.op_type != "ConstantOfShape":
            nodes.append(node)
            continue
        shape = shapes[node.input[0]]
        scale = np.float32(np.sqrt(2 / np.prod(shape[1:])))
        weight = rng.standard_normal(shape, dtype=np.float32) * scale
        model.graph.initializer.append(numpy_helper.from_array(weight, node.output[0]))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    for size in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        size.dim_value = SIDE
    return model.SerializeToString()


def windows_of(image):
    """Return every window of an image, row by row."""
    starts = range(0, image.shape[1] - SIDE + 1, STEP)
    return np.stack(
        [image[:, top : top + SIDE, left : left + SIDE] for top in starts for left in starts]
    )


def run_windows(backbone, image, batch_size):
    windows = windows_of(image)
    batches = [windows[i : i + batch_size] for i in range(0, len(windows), batch_size)]
    return np.concatenate([backbone.run(batch)["r21"].reshape(len(batch), -1) for batch in batches])


def run_dense(backbone, image):
    return backbone.run(image[None])["r21"].reshape(-1, 4096)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scales", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--clock", choices=["wall", "processor"], default="wall")
    options = parser.parse_args()
    clock = CLOCKS["wall" if options.clock == "wall" else "cpu"]
    content, spec = random_alexnet(), ModelSpec("alexnet", ("r21",), SIDE)
    backbone = Backbone(content, spec=spec, n_threads=options.threads, arena=False)
    rng = np.random.default_rng(0)
    sides = [int(np.ceil(SIDE * 2 ** (s / 2))) for s in options.scales]
    images = [rng.standard_normal((3, side, side), dtype=np.float32) for side in sides]
    contenders = {
        "dense": lambda image: run_dense(backbone, image),
        "windows, one by one": lambda image: run_windows(backbone, image, 1),
        "windows, 32 at once": lambda image: run_windows(backbone, image, 32),
    }
    run_dense(backbone, images[0])  # opens a session, and so does the next
    run_windows(backbone, images[0][:, :SIDE, :SIDE], 1)
    best = {name: np.full(len(images), np.inf) for name in contenders}
    for repeat in range(options.repeats):
        for i, image in enumerate(images):
            results = {}
            for name, contender in contenders.items():
                seconds, results[name] = timed(clock, contender, image)
                best[name][i] = min(best[name][i], seconds)
            if repeat == 0:
                cosine = mean_cosine(results["dense"], results["windows, 32 at once"])
                n_windows = len(results["dense"])
                print(f"side {sides[i]:4d}: {n_windows:5d} windows, mean cosine {cosine:.3f}")
    for name, seconds in best.items():
        ratios = seconds / best["dense"]
        each = ", ".join(f"{ratio:.1f}" for ratio in ratios)
        ratio = seconds.sum() / best["dense"].sum()
        print(f"{name:20} {seconds.sum():8.3f} s, {ratio:5.1f} times dense; by scale: {each}")


def mean_cosine(ours, theirs):
    norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return ((ours * theirs).sum(axis=1) / norms).mean()


if __name__ == "__main__":
    main()
