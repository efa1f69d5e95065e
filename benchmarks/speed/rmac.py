"""R-MAC against cnnimageretrieval's way, a max-pool over each region."""

from functools import partial

import numpy as np

from benchmarks.registry import OURS, Case, benchmark, require
from skdeepenc.functional import rmac as rmac_of_map
from skdeepenc.functional import rmac_regions

HEIGHT, WIDTH, N_CHANNELS = 48, 64, 512


@benchmark(ours="functional.rmac", rounds=20)
def rmac():
    """A map of 48 x 64 positions and 512 channels. The peers need PyTorch.

    The first peer's loop is written here after that code: it gathers the rows and the columns of
    every region, pools, normalises and adds. Both get the layout that they like best.
    """
    require("torch", "PyTorch")
    import torch

    rng = np.random.default_rng(0)
    feature_map = rng.normal(size=(HEIGHT, WIDTH, N_CHANNELS)).clip(0).astype(np.float32)
    tensor = torch.from_numpy(feature_map.transpose(2, 0, 1).copy())[None]
    regions = rmac_regions(HEIGHT, WIDTH).tolist()
    works = {
        OURS: partial(rmac_of_map, feature_map),
        "max_pool2d per region": partial(gathered, tensor, regions),
        "amax of slices": partial(sliced, tensor, regions),
    }
    yield Case(f"{HEIGHT} x {WIDTH} x {N_CHANNELS}", works, conclude=agreement)


def agreement(vectors):
    """Compare with both peers."""
    difference = max(np.abs(theirs - vectors[OURS]).max() for theirs in vectors.values())
    assert difference < 1e-5, difference
    return {"largest difference": difference}


def gathered(tensor, regions):
    """Pool every region by itself; the positions are listed, as in the original."""
    import torch

    total = torch.zeros(1, tensor.shape[1], 1, 1)
    for y0, x0, y1, x1 in regions:
        region = tensor[:, :, list(range(y0, y1)), :][:, :, :, list(range(x0, x1))]
        vector = torch.nn.functional.max_pool2d(region, (y1 - y0, x1 - x0))
        total += vector / (torch.norm(vector, p=2, dim=1, keepdim=True) + 1e-6)
    return (total / torch.norm(total))[0, :, 0, 0].numpy()


def sliced(tensor, regions):
    """Pool every region by itself, on slices: kinder to the peer than the original."""
    from torch.nn import functional

    vectors = [
        functional.normalize(tensor[:, :, y0:y1, x0:x1].amax(dim=(2, 3)))
        for y0, x0, y1, x1 in regions
    ]
    return functional.normalize(sum(vectors))[0].numpy()
