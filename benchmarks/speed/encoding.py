"""Vectors of many images, written as they come, against the extractor alone."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import onnx
from PIL import Image
from sklearn.pipeline import make_pipeline

from benchmarks.alexnet import SIDE, make_alexnet
from benchmarks.jpegs import make_jpegs
from benchmarks.networks import CAFFE
from benchmarks.registry import OURS, Case, UnavailableError, benchmark, require
from benchmarks.speed.fit_memory import measured
from skdeepenc import ActivationExtractor, GlobalPooler
from skdeepenc.images import Whole
from skdeepenc.search import encode

THREADS, N_SMALL = 2, 500
_BAR = 0.95


@benchmark(ours="search.encode", bars={"the extractor alone": _BAR}, rounds=3)
def encoding(n_images=128, n_small=2000):
    """Images into shards, against the extractor on the same files, which keeps their maps.

    The ratio is how much of the extractor's throughput is left to what also reads digests and
    sizes, encodes, and writes. AlexNet on 1024 x 768 JPEG files, with random weights; the embedded
    network on small drawn ones.
    """
    require("pyarrow", "pyarrow")
    with tempfile.TemporaryDirectory() as folder:
        files = make_jpegs(folder, n_images)
        alexnet = Path(folder) / "alexnet.onnx"
        onnx.save(make_alexnet(), alexnet)
        large = {"layers": "fc7", "views": Whole(size=SIDE), "preprocessing": CAFFE}
        yield compare("AlexNet fc7, large files", files, folder, model=alexnet, **large)
        small = repeated(draw_small(folder), n_small)
        yield compare("embedded conv5, small files", small, folder, layers="conv5")


def compare(name, files, folder, **parameters):
    """Return the case of one network."""
    extractor = ActivationExtractor(n_threads=THREADS, n_jobs=THREADS, **parameters)
    pipeline = make_pipeline(extractor, GlobalPooler()).fit(files[:8])
    out = Path(folder) / "vectors"

    def ours():
        shutil.rmtree(out, ignore_errors=True)
        return encode(pipeline, files, out)

    works = {OURS: ours, "the extractor alone": lambda: extractor.transform(files)}
    return Case(name, works, units=dict.fromkeys(works, len(files)))


@benchmark(ours="search.encode", limits={"MB for ten times the images": 50})
def encoding_memory(n_images=(2_000, 20_000)):
    """The most memory of a process that encodes many small images in shards of 1,000.

    Ten times the images may add their list and nothing else; n_images=(10_000, 100_000) is the long
    form.
    """
    require("pyarrow", "pyarrow")
    if not Path("/proc/self/clear_refs").exists():
        raise UnavailableError("only Linux tells the peak of a process's memory")
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        small = draw_small(folder)
        extractor = ActivationExtractor(layers="conv5", n_threads=THREADS, n_jobs=THREADS)
        pipeline = make_pipeline(extractor, GlobalPooler()).fit(small[:8])
        for count in n_images:
            files, out = repeated(small, count), Path(folder) / f"vectors-{count}"
            _, peak, seconds = measured(
                lambda images, out=out: encode(pipeline, images, out, shard_size=1_000), files
            )
            peaks.append(peak * 1e3)
            facts = {"MB": peaks[-1], "seconds": seconds, "images per second": count / seconds}
            yield Case(f"{count:,} images", {}, facts=facts)
    growth = {"MB for ten times the images": peaks[-1] - peaks[0]}
    yield Case("growth with the number of images", {}, facts=growth)


def draw_small(folder):
    """Write JPEG files of 128 x 96 pixels."""
    rng, files = np.random.default_rng(0), []
    for number in range(N_SMALL):
        noise = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        files.append(str(Path(folder) / f"small-{number:03}.jpg"))
        Image.fromarray(noise).resize((128, 96), Image.Resampling.BICUBIC).save(files[-1])
    return files


def repeated(files, count):
    """Return so many paths, of as many files as there are."""
    return [files[number % len(files)] for number in range(count)]
