"""Time R-MAC of a 48 x 64 x 512 map against cnnimageretrieval's way, a max-pool over each region.

    python benchmarks/benchmark_rmac.py [--threads 2] [--repeats 20]

Needs torch, for the peer alone. The peer's loop is written here after that code: it gathers the
rows and the columns of every region of a (1, 512, 48, 64) tensor, pools, normalises and adds. Both
get the layout they like best, and the vectors are compared. They take turns.
"""

import argparse

import numpy as np
import torch
from clocks import CLOCKS, timed
from threadpoolctl import threadpool_limits
from torch.nn import functional

from skdeepenc.functional import rmac, rmac_regions

HEIGHT, WIDTH, N_CHANNELS = 48, 64, 512


def peer(tensor, regions):
    """Pool every region by itself; the positions are listed, as in the original."""
    total = torch.zeros(1, tensor.shape[1], 1, 1)
    for y0, x0, y1, x1 in regions:
        region = tensor[:, :, list(range(y0, y1)), :][:, :, :, list(range(x0, x1))]
        vector = functional.max_pool2d(region, (y1 - y0, x1 - x0))
        total += vector / (torch.norm(vector, p=2, dim=1, keepdim=True) + 1e-6)
    return (total / torch.norm(total))[0, :, 0, 0].numpy()


def sliced_peer(tensor, regions):
    """Pool every region by itself, on slices: kinder to the peer than the original."""
    vectors = [
        functional.normalize(tensor[:, :, y0:y1, x0:x1].amax(dim=(2, 3)))
        for y0, x0, y1, x1 in regions
    ]
    return functional.normalize(sum(vectors))[0].numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    clock = CLOCKS[arguments.clock]
    torch.set_num_threads(arguments.threads)
    rng = np.random.default_rng(0)
    maps = np.maximum(rng.normal(size=(8, HEIGHT, WIDTH, N_CHANNELS)), 0).astype(np.float32)
    regions = rmac_regions(HEIGHT, WIDTH).tolist()
    seconds: dict = {"ours": [], "max_pool2d a region": [], "amax of slices": []}
    with threadpool_limits(arguments.threads), torch.no_grad():
        for repeat in range(arguments.repeats):
            feature_map = maps[repeat % len(maps)]
            tensor = torch.from_numpy(feature_map.transpose(2, 0, 1).copy())[None]
            spent, ours = timed(clock, rmac, feature_map)
            seconds["ours"].append(spent)
            spent, theirs = timed(clock, peer, tensor, regions)
            seconds["max_pool2d a region"].append(spent)
            np.testing.assert_allclose(ours, theirs, rtol=1e-4)
            spent, theirs = timed(clock, sliced_peer, tensor, regions)
            seconds["amax of slices"].append(spent)
            np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    for name, spent in seconds.items():
        ratio = np.median(np.divide(spent, seconds["ours"]))
        print(
            f"{name}: median {1000 * np.median(spent):.2f} ms, best {1000 * min(spent):.2f} ms, "
            f"{ratio:.1f} times ours"
        )


if __name__ == "__main__":
    main()
