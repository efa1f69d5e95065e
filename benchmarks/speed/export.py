"""Encoding by the encoders' graphs against numpy."""

import os
from unittest.mock import patch

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.registry import OURS, Case, benchmark
from benchmarks.speed.fisher import N_GAUSSIANS, descriptors_and_mixture
from skdeepenc.backbones.running.session import Graph, get_session, run_feeds
from skdeepenc.encoders import (
    BagOfVisualWords,
    ClusterMAC,
    CrossLayerPooler,
    GlobalPooler,
    MOPVLADEncoder,
    MultiScaleFisherEncoder,
)
from skdeepenc.export import OnnxEncoder
from skdeepenc.export.writer import GraphWriter
from skdeepenc.maps import FeatureMaps

# Sides of the maps: of one scale, of the paper's windows, and of seven scales with 4,410 positions.
MAP = [(24, 32)]
WINDOWS = [(1, 1), (5, 5), (9, 9)]
PYRAMID = [(9, 9), (13, 13), (18, 18), (22, 22), (26, 26), (32, 32), (38, 38)]
# With exactly so many.
SCALES = [*PYRAMID[:-1], (28, 59)]
SMALL = {"max_samples": 6000, "random_state": 0}


def encoders():
    """Return encoders by name, with the sides of their maps and the number of images."""
    mop = {"n_output_components": None, **SMALL}
    poolers = {
        f"global {method}": (GlobalPooler(method=method), MAP, 8)
        for method in ("avg", "max", "gem", "spoc", "crow", "rmac")
    }
    return {
        "MOP-VLAD": (MOPVLADEncoder(**mop), WINDOWS, 16),
        "MOP-VLAD, hard": (MOPVLADEncoder(n_neighbors=1, **mop), WINDOWS, 16),
        "Fisher": (MultiScaleFisherEncoder(**SMALL), PYRAMID, 4),
        "Fisher, thirds": (
            MultiScaleFisherEncoder(spatial_pyramid=[(1, 1), (3, 1)], **SMALL),
            PYRAMID,
            4,
        ),
        "cross-layer sum": (CrossLayerPooler(**SMALL), [(13, 13)], 16),
        "cross-layer max": (CrossLayerPooler(pooling="max", **SMALL), [(13, 13)], 4),
        "regions of R-MAC": (ClusterMAC(regions="rmac", **SMALL), MAP, 8),
        "whole region": (ClusterMAC(regions="mac", **SMALL), MAP, 8),
        "visual words": (BagOfVisualWords(n_words=5000, search="exact", **SMALL), MAP, 8),
        **poolers,
    }


@benchmark(ours="OnnxEncoder.transform", bars={"numpy": 0.77}, rounds=5)
def export(threads=(1, 2), names=None):
    """Maps of 512 channels through every encoder, by graph and by numpy, in seconds per image.

    Half of all activations are zero. Only the maximum of cross-layer pooling may be slower.
    """
    for name, (encoder, grids, n_images) in encoders().items():
        if names is not None and name not in names:
            continue
        maps = random_maps(grids, max(n_images, 8))
        encoder.fit(maps)
        maps, graph = maps[:n_images], OnnxEncoder(encoder, providers=["CPUExecutionProvider"])
        for n_threads in threads:
            works = {
                OURS: limited(n_threads, graph.transform, maps),
                "numpy": limited(n_threads, encoder.transform, maps),
            }
            yield Case(
                f"{name}, {n_threads} threads",
                works,
                units=dict.fromkeys(works, n_images),
                conclude=least_cosine,
                bars={} if name == "cross-layer max" else None,
            )


@benchmark(ours="OnnxEncoder.transform", bars={"numpy": 0.8, "onnxruntime": 0.8}, rounds=9)
def fisher_products(threads=(1, 2)):
    """Fisher vectors of 4,410 x 128 under 256 Gaussians, and the matrix products in them alone.

    One image of seven scales. Peers compute nothing but these products, each with its own kernels.
    """
    descriptors, _ = descriptors_and_mixture(0)
    ends = np.cumsum(np.prod(SCALES, axis=1))[:-1]
    scales = np.split(descriptors, ends)
    image = [x.reshape(*grid, -1) for x, grid in zip(scales, SCALES, strict=True)]
    maps = FeatureMaps.from_arrays([image])
    encoder = MultiScaleFisherEncoder(n_components=None, n_gaussians=N_GAUSSIANS, random_state=0)
    graph = OnnxEncoder(encoder.fit(maps), providers=["CPUExecutionProvider"])
    products = Products(descriptors)
    for n_threads in threads:
        works = {
            OURS: limited(n_threads, graph.transform, maps),
            "numpy": limited(n_threads, products.by_numpy),
            "onnxruntime": limited(n_threads, products.by_onnxruntime),
            "MultiScaleFisherEncoder": limited(n_threads, encoder.transform, maps),
        }
        yield Case(f"{n_threads} threads", works)


class Products:
    """The products of a Fisher vector: projection, log densities, and sums by posterior."""

    def __init__(self, x):
        rng = np.random.default_rng(0)
        n_channels = x.shape[1]
        self.x, self.moments = x, np.hstack([x, x * x])
        self.posteriors = rng.random((len(x), N_GAUSSIANS), dtype=np.float32)
        self.directions, self.weights = (
            rng.random((n, m), dtype=np.float32)
            for n, m in ((n_channels, n_channels), (2 * n_channels, N_GAUSSIANS))
        )
        self.by_gaussian = np.ascontiguousarray(self.posteriors.T)
        self._key = object()

    def by_numpy(self):
        """Multiply by numpy's library."""
        return [
            self.x @ self.directions,
            self.moments @ self.weights,
            self.posteriors.T @ self.moments,
        ]

    def by_onnxruntime(self):
        """Multiply by onnxruntime's kernels."""
        feeds = {"x": self.x, "moments": self.moments, "posteriors": self.by_gaussian}
        session = get_session(self._key, self._write, providers=["CPUExecutionProvider"])
        return run_feeds(session, feeds)

    def _write(self):
        g = GraphWriter()
        x, moments, posteriors = (
            g.input(name, np.float32, sides)
            for name, sides in {
                "x": ["P", self.x.shape[1]],
                "moments": ["P", self.moments.shape[1]],
                "posteriors": [N_GAUSSIANS, "P"],
            }.items()
        )
        for name, product in {
            "projected": x @ self.directions,
            "densities": moments @ self.weights,
            "sums": posteriors @ moments,
        }.items():
            g.output(name, product, ["rows", "columns"])
        return Graph(g.model().SerializeToString())


def random_maps(grids, n_images):
    """Return maps of two layers at these sides."""
    rng = np.random.default_rng(0)
    images = [
        [rng.normal(size=(*grid, 512)).clip(0).astype(np.float32) for grid in grids]
        for _ in range(n_images)
    ]
    return FeatureMaps.from_layers({"conv4": images, "conv5": images[::-1]})


def limited(n_threads, work, *arguments):
    """Return a call that runs in so many threads, of numpy's libraries and of onnxruntime."""

    def call():
        told = {"OMP_NUM_THREADS": str(n_threads)}
        with threadpool_limits(n_threads), patch.dict(os.environ, told):
            return work(*arguments)

    return call


def least_cosine(vectors):
    """Compare the vectors of both."""
    theirs = vectors["numpy"]
    theirs = theirs.toarray() if hasattr(theirs, "toarray") else theirs
    ours = vectors[OURS]
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    cosine = float((np.einsum("ij,ij->i", ours, theirs, dtype=float) / lengths).min())
    assert cosine > 0.9999, cosine
    return {"least cosine": cosine}
