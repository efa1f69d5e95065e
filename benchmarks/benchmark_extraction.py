"""Extraction from JPEG files, end to end, against onnxruntime on tensors that are ready.

The peer runs the same graph on one batch again and again, and reads, decodes and keeps nothing: no
extraction can be faster. What is printed is how much of its throughput is left when images come
from 1024 x 768 JPEG files. Both sides take turns, and the middle ratio counts.

    python benchmarks/benchmark_extraction.py [--data FOLDER] [--images 128] [--rounds 5]

AlexNet is built here with random weights: speed does not depend on them. SqueezeNet and the
pictures come from the folder named by SKDEEPENC_DATA or --data; without it, SqueezeNet is left out
and pictures are drawn.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from networks import CAFFE, SQUEEZENET
from onnx import helper, numpy_helper
from PIL import Image

from skdeepenc.backbones import ModelSpec, write_spec
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.images import Whole

BATCH_SIZE = 32
THREADS = 2


def main():
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory() as folder:
        files = make_jpegs(Path(folder), arguments.images, arguments.data)
        alexnet = Path(folder) / "alexnet.onnx"
        onnx.save(make_alexnet(), alexnet)
        compare("AlexNet fc7", alexnet, "fc7", 227, files, arguments.rounds, target=0.65)
        if arguments.data is None:
            print("SqueezeNet is left out: neither --data nor SKDEEPENC_DATA is given.")
            return
        squeezenet = Path(arguments.data) / SQUEEZENET
        compare(
            "SqueezeNet fire9", squeezenet, "fire9/concat", 227, files, arguments.rounds, target=0.5
        )


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default=os.environ.get("SKDEEPENC_DATA"))
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def compare(name, path, layer, side, files, rounds, target):
    """Time both sides in turn and print the middle ratio."""
    session = open_session(path, layer)
    batch = np.random.default_rng(0).normal(size=(BATCH_SIZE, 3, side, side)).astype(np.float32)
    extractor = ActivationExtractor(
        path,
        layers=layer,
        views=Whole(size=side),
        preprocessing=CAFFE,
        batch_size=BATCH_SIZE,
        n_threads=THREADS,
        n_jobs=THREADS,
    ).fit(files)
    feed = {session.get_inputs()[0].name: batch}
    session.run(None, feed)
    extractor.transform(files[:BATCH_SIZE])
    ratios = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(len(files) // BATCH_SIZE):
            session.run(None, feed)
        middle = time.perf_counter()
        extractor.transform(files)
        end = time.perf_counter()
        ratios.append((middle - start) / (end - middle))
        print(
            f"{name}: onnxruntime {1e3 * (middle - start) / len(files):.1f} ms an image, "
            f"from files {1e3 * (end - middle) / len(files):.1f} ms, ratio {ratios[-1]:.2f}"
        )
    print(f"{name}: middle ratio {np.median(ratios):.2f}, target {target}\n")


def open_session(path, layer):
    """Open the graph, cut after the layer, in onnxruntime itself."""
    model = onnx.load(path)
    cut = onnx.utils.Extractor(model).extract_model([model.graph.input[0].name], [layer])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    return onnxruntime.InferenceSession(
        cut.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def make_jpegs(folder, count, data):
    """Write 1024 x 768 JPEG files: photographs where there are any, else smooth noise."""
    photographs = sorted(Path(data).glob("images/oxford5k_subset/jpg/*.jpg")) if data else []
    files = []
    for number in range(count):
        if photographs:
            with Image.open(photographs[number % len(photographs)]) as photograph:
                image = photograph.convert("RGB").resize((1024, 768), Image.Resampling.BICUBIC)
        else:
            noise = np.random.default_rng(number).integers(0, 256, (96, 128, 3), dtype=np.uint8)
            image = Image.fromarray(noise).resize((1024, 768), Image.Resampling.BICUBIC)
        files.append(folder / f"{number:04}.jpg")
        image.save(files[-1], quality=90)
    return files


def make_alexnet():
    """Build AlexNet up to fc7, as Caffe has it, with random weights."""
    rng = np.random.default_rng(0)
    nodes, weights = [], []

    def add(op, source, output, shape=None, **attributes):
        inputs = [source]
        if shape is not None:
            scale = np.sqrt(2 / np.prod(shape[1:]))
            for kind, value in (
                ("weight", scale * rng.standard_normal(shape, dtype=np.float32)),
                ("bias", np.zeros(shape[0])),
            ):
                inputs.append(f"{output}/{kind}")
                weights.append(numpy_helper.from_array(value.astype(np.float32), inputs[-1]))
        nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def convolve(source, number, shape, group=1, pad=0, stride=1):
        name = f"conv{number}"
        output = add(
            "Conv", source, f"{name}/sum", shape, group=group, pads=[pad] * 4, strides=[stride] * 2
        )
        return add("Relu", output, name)

    def pool(source, number):
        return add("MaxPool", source, f"pool{number}", kernel_shape=[3, 3], strides=[2, 2])

    x = convolve("data", 1, (96, 3, 11, 11), stride=4)
    x = add("LRN", pool(x, 1), "norm1", size=5, alpha=1e-4, beta=0.75)
    x = convolve(x, 2, (256, 48, 5, 5), group=2, pad=2)
    x = add("LRN", pool(x, 2), "norm2", size=5, alpha=1e-4, beta=0.75)
    x = convolve(x, 3, (384, 256, 3, 3), pad=1)
    x = convolve(x, 4, (384, 192, 3, 3), group=2, pad=1)
    x = pool(convolve(x, 5, (256, 192, 3, 3), group=2, pad=1), 5)
    x = add("Flatten", x, "flat")
    for name, inputs in (("fc6", 9216), ("fc7", 4096)):
        x = add("Relu", add("Gemm", x, f"{name}/sum", (4096, inputs), transB=1), name)
    graph = helper.make_graph(
        nodes,
        "alexnet",
        [helper.make_tensor_value_info("data", 1, ["n", 3, 227, 227])],
        [helper.make_tensor_value_info("fc7", 1, ["n", 4096])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    write_spec(model, ModelSpec("alexnet", ("fc7",), 227, CAFFE))
    return model


if __name__ == "__main__":
    main()
