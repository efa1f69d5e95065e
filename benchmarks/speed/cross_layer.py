"""Cross-layer pooling against a plain einsum and against torch.bmm."""

from functools import partial
from importlib.util import find_spec

import numpy as np

from benchmarks.registry import OURS, Case, benchmark
from skdeepenc.functional import l2_normalize, power_normalize, segment_cross_layer

N_POSITIONS, N_FEATURES, N_CHANNELS = 784, 512, 512


@benchmark(
    ours="functional.segment_cross_layer", bars={"numpy.einsum": 4, "torch.bmm": 1}, rounds=7
)
def cross_layer(n_images=8):
    """784 positions of 512 features under 512 channels, L2-normalised and square rooted.

    The einsum is of one image, as it would take minutes for more.
    """
    rng = np.random.default_rng(0)
    shape = (n_images, N_POSITIONS)
    features = rng.standard_normal((*shape, N_FEATURES), dtype=np.float32)
    guidance = np.maximum(rng.standard_normal((*shape, N_CHANNELS), dtype=np.float32), 0)
    works = {
        OURS: partial(ours, features, guidance),
        "numpy.einsum": partial(plain_einsum, features[:1], guidance[:1]),
    }
    if find_spec("torch") is not None:
        works["torch.bmm"] = torch_bmm(features, guidance)
    yield Case(
        f"{n_images} images",
        works,
        units={name: 1 if name == "numpy.einsum" else n_images for name in works},
        conclude=agreement,
    )


def agreement(pooled):
    """Compare the first image of all."""
    differences = {
        f"difference {name}": np.abs(np.asarray(theirs[0]) - pooled[OURS][0]).max()
        for name, theirs in pooled.items()
        if name != OURS
    }
    assert max(differences.values(), default=0) < 1e-3, differences
    return differences


def ours(features, guidance):
    """Pool and normalise all images as the encoder does."""
    offsets = N_POSITIONS * np.arange(len(features) + 1)
    pooled = segment_cross_layer(
        features.reshape(-1, N_FEATURES), guidance.reshape(-1, N_CHANNELS), offsets
    )
    return power_normalize(l2_normalize(pooled))


def plain_einsum(features, guidance):
    """Pool and normalise as the equation reads."""
    pooled = np.einsum("nid,nik->nkd", features, guidance)
    pooled /= np.linalg.norm(pooled, axis=2, keepdims=True)
    return np.sign(pooled) * np.sqrt(np.abs(pooled))


def torch_bmm(features, guidance):
    """Return a function that does the same in PyTorch."""
    import torch

    features, guidance = torch.from_numpy(features), torch.from_numpy(guidance)

    def pool():
        pooled = torch.bmm(guidance.transpose(1, 2), features)
        pooled = torch.nn.functional.normalize(pooled, dim=2)
        return pooled.sign() * pooled.abs().sqrt()

    return pool
