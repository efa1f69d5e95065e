"""fc7 over a pyramid: the dense head against the network run window by window."""

import numpy as np

from benchmarks.alexnet import SIDE, zoo_alexnet_rounding_down
from benchmarks.registry import OURS, Case, benchmark
from skdeepenc.backbones import Backbone, ModelSpec

STEP = 32
LAYER = "r21"


@benchmark(ours="Backbone.run", bars={"windows, one by one": 10}, rounds=3)
def dense_pyramid(scales=(1, 2, 3, 4), n_threads=2):
    """AlexNet's fc7 at every window of 227 pixels, 32 apart, on images of growing sides.

    Both sides run the same onnxruntime with the same threads. Windows are fed one at a time, and in
    batches of 32, which is the most that a careful user could do. The mean cosine between the two
    answers is below one because AlexNet pads its maps: windows see zeros where the image goes on.
    """
    backbone = Backbone(
        zoo_alexnet_rounding_down(),
        spec=ModelSpec("alexnet", (LAYER,), SIDE),
        n_threads=n_threads,
        arena=False,
    )
    rng = np.random.default_rng(0)
    for scale in scales:
        side = int(np.ceil(SIDE * 2 ** (scale / 2)))
        image = rng.standard_normal((3, side, side), dtype=np.float32)
        works = {
            OURS: lambda image=image: run(backbone, image[None]),
            "windows, one by one": lambda image=image: run_windows(backbone, image, 1),
            "windows, 32 at once": lambda image=image: run_windows(backbone, image, 32),
        }
        yield Case(
            f"side {side}",
            works,
            conclude=lambda found: {
                "windows": len(found[OURS]),
                "mean cosine": mean_cosine(found[OURS], found["windows, 32 at once"]),
            },
        )


def run(backbone, batch):
    """Return the descriptors of all positions of all images of a batch."""
    return backbone.run(batch)[LAYER].reshape(-1, 4096)


def run_windows(backbone, image, batch_size):
    """Return the descriptors of all windows of an image."""
    starts = range(0, image.shape[1] - SIDE + 1, STEP)
    windows = np.stack(
        [image[:, top : top + SIDE, left : left + SIDE] for top in starts for left in starts]
    )
    batches = [windows[i : i + batch_size] for i in range(0, len(windows), batch_size)]
    return np.concatenate([run(backbone, batch) for batch in batches])


def mean_cosine(ours, theirs):
    """Return the mean over rows of the cosine between rows."""
    norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return ((ours * theirs).sum(axis=1) / norms).mean()
