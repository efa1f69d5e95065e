"""Time cross-layer pooling against a plain einsum and against torch.bmm, in turns in one run.

784 positions of 512 features are pooled under 512 guidance channels, L2-normalised channel by
channel and square rooted: 262,144 values an image. The einsum is of one image, as it would take
minutes for more. On a busy machine set OMP_NUM_THREADS=1 and ``--clock cpu``.
"""

import argparse

import numpy as np
from clocks import CLOCKS, alternately

from skdeepenc.functional import l2_normalize, power_normalize, segment_cross_layer

N_POSITIONS, N_FEATURES, N_CHANNELS = 784, 512, 512


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


def torch_bmm(torch, features, guidance):
    """Return a function that does the same in PyTorch."""
    features, guidance = torch.from_numpy(features), torch.from_numpy(guidance)

    def pool():
        pooled = torch.bmm(guidance.transpose(1, 2), features)
        pooled = torch.nn.functional.normalize(pooled, dim=2)
        return pooled.sign() * pooled.abs().sqrt()

    return pool


def peers(features, guidance):
    """Return what each library does, and how many images it is given."""
    functions = {
        "ours": (lambda: ours(features, guidance), len(features)),
        "numpy.einsum": (lambda: plain_einsum(features[:1], guidance[:1]), 1),
    }
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: not compared")
    else:
        functions["torch.bmm"] = torch_bmm(torch, features, guidance), len(features)
    return functions


def time_alternately(functions, repeats, clock):
    """Return the least seconds an image of each function; the first round warms up."""
    called = {name: function for name, (function, _) in functions.items()}
    seconds = alternately(clock, called, repeats + 1)
    return {name: min(seconds[name][1:]) / n_images for name, (_, n_images) in functions.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    shape = (arguments.images, N_POSITIONS)
    features = rng.standard_normal((*shape, N_FEATURES), dtype=np.float32)
    guidance = np.maximum(rng.standard_normal((*shape, N_CHANNELS), dtype=np.float32), 0)
    np.testing.assert_allclose(
        ours(features[:1], guidance[:1]), plain_einsum(features[:1], guidance[:1]), atol=1e-3
    )
    seconds = time_alternately(
        peers(features, guidance), arguments.repeats, CLOCKS[arguments.clock]
    )
    for name, taken in seconds.items():
        print(
            f"{name}: {taken * 1e3:.1f} ms an image, "
            f"ours is {taken / seconds['ours']:.2f} times as fast"
        )


if __name__ == "__main__":
    main()
