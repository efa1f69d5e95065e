"""Measure the memory that fitting and encoding take, on maps that would never fit themselves.

Descriptors of 4096 values are made up image by image as they are read: 25 an image, stored in
float16, of which the encoder learns from 256,000. The fit should stay under 6 GB; encoding should
take no more memory for 10,000 images than for 1,000, but for the result itself. Linux only.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from skdeepenc.encoders import MOPVLADEncoder
from skdeepenc.maps import FeatureMaps, Store

N_CHANNELS, N_WINDOWS, RANK = 4096, 25, 64


class MadeUp(Store):
    """Rectified descriptors near a subspace, the same for an image whenever it is read."""

    layers = ("fc7",)
    channels = {"fc7": N_CHANNELS}
    dtypes = {"fc7": np.dtype(np.float16)}

    def __init__(self, n_images):
        self.grids = {"fc7": np.full((n_images, 1, 2), (N_WINDOWS, 1))}
        rng = np.random.default_rng(0)
        self.basis = rng.standard_normal((RANK, N_CHANNELS), dtype=np.float32) / RANK**0.5
        self.basis *= np.geomspace(10, 1, RANK, dtype=np.float32)[:, None]

    def read(self, layer, images, scales):
        rows = np.empty((len(images) * N_WINDOWS, N_CHANNELS), np.float16)
        for place, image in enumerate(images):
            rng = np.random.default_rng(image)
            codes = rng.standard_normal((N_WINDOWS, RANK), dtype=np.float32)
            own = rows[place * N_WINDOWS : (place + 1) * N_WINDOWS]
            np.maximum(codes @ self.basis, 0, out=own, casting="same_kind")
        return rows


def memory(field):
    """Return a field of the process's status in GB: VmRSS (now) or VmHWM (the most so far)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024 / 1e9
    raise RuntimeError(f"no {field} in /proc/self/status")


def forget_the_peak():
    Path("/proc/self/clear_refs").write_text("5")


def measure(title, work, argument):
    forget_the_peak()
    before, start = memory("VmRSS"), time.perf_counter()
    result = work(argument)
    seconds = time.perf_counter() - start
    print(
        f"{title}: {seconds:.0f} s, {before:.2f} GB before, {memory('VmHWM'):.2f} GB at most",
        flush=True,
    )
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=256_000)
    parser.add_argument("--encode", type=int, nargs="*", default=[1_000, 10_000])
    parser.add_argument("--output-components", type=int, default=4096, help="0 for no second PCA")
    options = parser.parse_args()

    encoder = MOPVLADEncoder(
        n_output_components=options.output_components or None,
        max_samples=options.samples,
        random_state=0,
    )
    maps = FeatureMaps(MadeUp(-(-options.samples // N_WINDOWS)))
    measure(f"fit on {options.samples:,} descriptors of {N_CHANNELS}", encoder.fit, maps)
    for n_images in options.encode:
        maps = FeatureMaps(MadeUp(n_images))
        vectors = measure(f"transform of {n_images:,} images", encoder.transform, maps)
        print(f"    of which {vectors.nbytes / 1e9:.2f} GB are the result")
        del vectors


if __name__ == "__main__":
    main()
