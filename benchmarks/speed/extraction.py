"""Extraction from JPEG files, end to end, and a second pass through its cache."""

import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from benchmarks.alexnet import SIDE, make_alexnet
from benchmarks.jpegs import make_jpegs
from benchmarks.networks import CAFFE, SQUEEZENET
from benchmarks.registry import OURS, Case, benchmark, data_folder
from benchmarks.turns import Took
from skdeepenc.extraction import ActivationExtractor, sources
from skdeepenc.images import Pyramid, Whole

BATCH_SIZE, THREADS = 32, 2


@benchmark(ours="ActivationExtractor.transform")
def extraction(n_images=128):
    """1024 x 768 JPEG files, against onnxruntime on tensors that are ready.

    The peer runs the same graph on one batch again and again, and reads, decodes and keeps nothing:
    no extraction can be faster. The ratio is how much of its throughput is left. AlexNet has random
    weights: speed does not depend on them.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = make_jpegs(folder, n_images)
        alexnet = Path(folder) / "alexnet.onnx"
        onnx.save(make_alexnet(), alexnet)
        yield compare_with_runtime("AlexNet fc7", alexnet, "fc7", files, bar=0.65)
        squeezenet = data_folder() / SQUEEZENET
        yield compare_with_runtime("SqueezeNet fire9", squeezenet, "fire9/concat", files, bar=0.5)


def compare_with_runtime(name, path, layer, files, bar):
    """Return the case of one network."""
    session = open_session(path, layer)
    batch = np.random.default_rng(0).normal(size=(BATCH_SIZE, 3, SIDE, SIDE)).astype(np.float32)
    feed = {session.get_inputs()[0].name: batch}
    extractor = ActivationExtractor(
        path,
        layers=layer,
        views=Whole(size=SIDE),
        preprocessing=CAFFE,
        batch_size=BATCH_SIZE,
        n_threads=THREADS,
        n_jobs=THREADS,
    ).fit(files)
    works = {
        OURS: lambda: extractor.transform(files),
        "onnxruntime": lambda: [session.run(None, feed) for _ in range(len(files) // BATCH_SIZE)],
    }
    units = dict.fromkeys(works, len(files))
    return Case(name, works, units=units, bars={"onnxruntime": bar})


def open_session(path, layer):
    """Open the graph, cut after the layer, in onnxruntime itself."""
    model = onnx.load(path)
    cut = onnx.utils.Extractor(model).extract_model([model.graph.input[0].name], [layer])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    return onnxruntime.InferenceSession(
        cut.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


@benchmark(ours="ActivationExtractor(memory=...)", bars={"first pass": 5}, rounds=3)
def cache(n_images=128):
    """A second pass through the cache against the first, which runs the network and writes.

    Each round starts from an empty folder. A pass reads every value. "Known again" is one in a
    process that has seen the files before, as the folds of a grid search do.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = make_jpegs(folder, n_images)
        model = Path(folder) / "alexnet.onnx"
        onnx.save(make_alexnet(), model)
        yield passes("fc7", files, model=model, layers="fc7", views=Whole())
        few = files[: len(files) // 4]
        yield passes(
            "conv5 at 4 scales, float16",
            few,
            model=model,
            layers="conv5",
            views=Pyramid(n_scales=4),
            dtype="float16",
        )


def passes(name, files, **parameters):
    """Return the case of one extractor; the first pass of a round fills the others' cache."""
    folder = tempfile.TemporaryDirectory()
    extractor = ActivationExtractor(n_jobs=2, **parameters)

    def first():
        nonlocal folder
        folder = tempfile.TemporaryDirectory()
        extractor.set_params(memory=folder.name).fit(files)
        return read_all(extractor, files)

    def second():
        sources._DIGESTS.clear()  # as a new process would begin
        return read_all(extractor, files)

    works = {"first pass": first, OURS: second, "known again": lambda: read_all(extractor, files)}
    return Case(name, works, units=dict.fromkeys(works, len(files)))


def read_all(extractor, files):
    """Return the seconds of a pass that reads every value."""
    start = time.perf_counter()
    maps = extractor.transform(files)
    for batch in maps.iter_batches():
        batch.values(maps.layers[0])
    return Took(time.perf_counter() - start)
