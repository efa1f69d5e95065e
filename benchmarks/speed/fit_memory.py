"""The memory that fitting and encoding take, on maps that would never fit themselves."""

import time
from pathlib import Path

import numpy as np

from benchmarks.registry import Case, UnavailableError, benchmark
from skdeepenc.encoders import MOPVLADEncoder
from skdeepenc.maps import FeatureMaps, Store

N_CHANNELS, N_WINDOWS, RANK = 4096, 25, 64


@benchmark(ours="MOPVLADEncoder", limits={"GB of the fit": 6, "GB for ten times the images": 0.2})
def fit_memory(n_samples=256_000, n_images=(1_000, 10_000), n_output_components=4096):
    """MOP-VLAD on descriptors of 4,096 values, made up image by image as they are read.

    25 descriptors per image, stored in float16; the encoder learns from 256,000 of them. Encoding
    should take no more memory for 10,000 images than for 1,000, but for the result itself.
    """
    if not Path("/proc/self/clear_refs").exists():
        raise UnavailableError("only Linux tells the peak of a process's memory")
    encoder = MOPVLADEncoder(
        n_output_components=n_output_components, max_samples=n_samples, random_state=0
    )
    maps = FeatureMaps(MadeUp(-(-n_samples // N_WINDOWS)))
    _, peak, seconds = measured(encoder.fit, maps)
    yield Case(f"fit on {n_samples:,}", {}, facts={"GB of the fit": peak, "seconds": seconds})
    peaks = []
    for count in n_images:
        vectors, peak, seconds = measured(encoder.transform, FeatureMaps(MadeUp(count)))
        peaks.append(peak - vectors.nbytes / 1e9)
        facts = {"GB beyond the result": peaks[-1], "seconds": seconds}
        yield Case(f"transform of {count:,} images", {}, facts=facts)
    growth = {"GB for ten times the images": peaks[-1] - peaks[0]}
    yield Case("growth with the number of images", {}, facts=growth)


def measured(work, argument):
    """Return what a call gave, the most memory of the process in GB, and the seconds."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # forget the peak so far
    start = time.perf_counter()
    result = work(argument)
    return result, peak_gigabytes(), time.perf_counter() - start


def peak_gigabytes():
    """Return the most memory that this process has held."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024 / 1e9
    raise UnavailableError("/proc/self/status does not tell the peak of memory")


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
        """Make the descriptors of images up."""
        rows = np.empty((len(images) * N_WINDOWS, N_CHANNELS), np.float16)
        for place, image in enumerate(images):
            rng = np.random.default_rng(image)
            codes = rng.standard_normal((N_WINDOWS, RANK), dtype=np.float32)
            own = rows[place * N_WINDOWS : (place + 1) * N_WINDOWS]
            np.maximum(codes @ self.basis, 0, out=own, casting="same_kind")
        return rows
