"""What encoders cost behind a network on a GPU, and how far every provider is from Python.

Needs the package, and no other file than the network::

    python -m benchmarks.gpu_check [--model FILE] [--out gpu_check.json]

For each encoder the network runs alone, its maps left where they are, and together with the encoder
as one session, in turns. With CUDA the pair has to reach 0.8 of the network's images per second,
and on every provider its vectors have to be those of Python; where either fails the command returns
1. Without CUDA the same is done on the processor, and speed has no bar.
"""

import argparse
import json
import sys
import warnings
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.pipeline import make_pipeline

from benchmarks.results import environment
from benchmarks.turns import CLOCKS, alternately
from skdeepenc import (
    ActivationExtractor,
    BagOfVisualWords,
    ClusterMAC,
    CrossLayerPooler,
    GlobalPooler,
    MOPVLADEncoder,
    MultiScaleFisherEncoder,
    Pyramid,
    Whole,
)
from skdeepenc.backbones.running.runtime import resolve_providers
from skdeepenc.backbones.running.session import Graph, open_apart, run_there
from skdeepenc.datasets import make_scenes
from skdeepenc.exceptions import ModelWarning
from skdeepenc.export.graphs import write_graph
from skdeepenc.export.image_entrances import recipe_of
from skdeepenc.export.piece_entrance import PieceEntrance, piece_input
from skdeepenc.export.registry import convert
from skdeepenc.export.writer import GraphWriter
from skdeepenc.extraction.pieces import piece_batches

CUDA = "CUDAExecutionProvider"
LEAST_SHARE = 0.8  # of the images per second that the network alone reaches
LEAST_COSINE = 0.999
ENTRANCE = PieceEntrance()


def main(arguments=None):
    """Run the check; return 1 where a bar is missed, else 0."""
    options = _parse(arguments)
    scenes = make_scenes(options.images, image_size=options.side, random_state=0).images
    rows = []
    for name, pipeline in pipelines(options).items():
        for row in check(pipeline.fit(scenes), scenes, options.rounds):
            rows.append({"encoder": name, **row})
            print(_line(rows[-1]), flush=True)
    providers = sorted({row["provider"] for row in rows})
    if CUDA not in providers:
        print("CUDA does not run here: the processor took its place, and speed had no bar.")
    missed = [sentence for row in rows for sentence in _missed(row)]
    print("\n".join(f"MISSED: {sentence}" for sentence in missed) or "Every bar is cleared.")
    content = {**environment(), "model": options.model, "rows": rows, "missed": missed}
    Path(options.out).write_text(json.dumps(content, indent=1), encoding="utf-8")
    print(f"written to {options.out}")
    return 1 if missed else 0


def _parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu_check",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", default="embedded", help="an ONNX file (default: embedded)")
    parser.add_argument("--layer", default=None, help="the layer to encode (default: its own)")
    parser.add_argument("--side", type=int, default=224, help="of the images, in pixels")
    parser.add_argument("--images", type=int, default=32, help="how many run at once")
    parser.add_argument("--rounds", type=int, default=5, help="turns of network and pair")
    parser.add_argument("--out", default="gpu_check.json", help="the file to write")
    return parser.parse_args(arguments)


def pipelines(options):
    """Return pipelines of one extractor and each encoder, by name."""
    layer = options.layer or ("conv5" if options.model == "embedded" else None)
    whole = ActivationExtractor(options.model, layers=layer, views=Whole(options.side))
    pyramid = ActivationExtractor(options.model, layers=layer, views=Pyramid(3, base=options.side))
    small = {"n_components": 64, "max_samples": 5000, "random_state": 0}
    encoders = {
        "global gem": (whole, GlobalPooler(method="gem")),
        "global rmac": (whole, GlobalPooler(method="rmac")),
        "regions of R-MAC": (whole, ClusterMAC(regions="rmac", random_state=0)),
        "MOP-VLAD": (pyramid, MOPVLADEncoder(n_clusters=64, n_output_components=None, **small)),
        "Fisher": (pyramid, MultiScaleFisherEncoder(n_gaussians=64, **small)),
        "cross-layer": (whole, CrossLayerPooler(**small)),
        "visual words": (whole, BagOfVisualWords(n_words=500, search="exact", random_state=0)),
    }
    return {name: make_pipeline(*steps) for name, steps in encoders.items()}


def check(pipeline, scenes, n_rounds):
    """Yield for every provider that runs its rates, and its distance from Python.

    Parameters
    ----------
    pipeline : Pipeline
        A fitted extractor and encoder.
    scenes : list of array
        Images of one size.
    n_rounds : int
        Turns of network and pair.
    """
    steps = ENTRANCE.steps(pipeline)
    network = _network_alone(pipeline)
    pair = write_graph(pipeline, steps, ENTRANCE, ["vector"], False)
    expected = _dense(pipeline.transform(scenes))
    ((_, stacks),) = piece_batches(recipe_of(steps), scenes, batch_size=10**6, n_decoders=2)
    feeds = {piece_input(scale): stack for scale, stack in enumerate(stacks)}
    for provider in resolve_providers("auto"):
        alone, together = (_open(graph, provider) for graph in (network, pair))
        if alone.get_providers()[0] != provider:
            continue
        maps = [output.name for output in alone.get_outputs()]
        works = {
            "network": partial(run_there, alone, feeds, maps, stay=True),
            "pair": partial(run_there, together, feeds, ["vector"]),
        }
        # The first turn opens kernels and fills caches.
        seconds, results = alternately(CLOCKS["wall"], works, n_rounds + 1)
        taken = {name: np.array(rounds[1:]) for name, rounds in seconds.items()}
        (vectors,) = results["pair"]
        yield {
            "provider": provider,
            **{f"images per second, {name}": _rate(scenes, each) for name, each in taken.items()},
            "share": float(np.median(taken["network"] / taken["pair"])),
            "least cosine": _least_cosine(vectors, expected),
            "largest difference": float(np.abs(vectors - expected).max()),
        }


def _open(graph, provider):
    """Open a session; a provider whose libraries are missing leaves its place to the processor."""
    warnings.simplefilter("ignore", ModelWarning)
    return open_apart(Graph(graph.SerializeToString()), [provider])


def _rate(scenes, seconds):
    return len(scenes) / float(np.median(seconds))


def _network_alone(pipeline):
    """Return the graph from pieces to the maps of every layer and scale."""
    g = GraphWriter()
    maps = convert(g, pipeline[0], ENTRANCE.open(g, pipeline, False))
    for layer, scales in maps.layers.items():
        for scale, tensor in enumerate(scales):
            g.output(f"{layer}/{scale}", tensor, ["N", "rows", "columns", "channels"])
    return g.model()


def _dense(vectors):
    return np.asarray(vectors.toarray() if hasattr(vectors, "toarray") else vectors)


def _least_cosine(vectors, expected):
    products = np.einsum("ij,ij->i", vectors, expected, dtype=float)
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(expected, axis=1)
    return float((products / lengths).min())


def _missed(row):
    where = f"{row['encoder']} on {row['provider']}"
    if row["provider"] == CUDA and row["share"] < LEAST_SHARE:
        yield f"{where}: {row['share']:.2f} of the network's rate, {LEAST_SHARE} wanted"
    if not row["least cosine"] >= LEAST_COSINE:
        yield f"{where}: cosine {row['least cosine']:.5f} with Python, {LEAST_COSINE} wanted"


def _line(row):
    return (
        f"{row['encoder']:18s}{row['provider'].removesuffix('ExecutionProvider'):6s}"
        f"{row['images per second, network']:10.1f} images/s, with encoder "
        f"{row['images per second, pair']:10.1f} ({row['share']:.2f}), "
        f"cosine {row['least cosine']:.6f}, difference {row['largest difference']:.1e}"
    )


if __name__ == "__main__":
    sys.exit(main())
