"""Nothing grows: neither memory nor open files, over many images and many fits."""

import gc
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from extraction.conftest import tiny_network
from sklearn.base import clone

from robustness.every_estimator import (
    EVERY_ESTIMATOR,
    LABELS,
    public_estimators,
    small_estimators,
)
from robustness.watched import watched
from skdeepenc.extraction import ActivationExtractor

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")

N_IMAGES = 75
FEWEST_CYCLES, CYCLES = 9, 7.5
# What allocators keep of runs that have ended. Models, maps and images are larger than the share
# of it that one cycle has.
ALLOWED_BYTES = 8 << 20


def grown(cycle, n_cycles):
    """Return by how many bytes and open files a process grows between its first and last cycles."""
    for _ in range(max(3, n_cycles // 4)):
        cycle()
    before = _held()
    for _ in range(n_cycles):
        cycle()
    return tuple(int(after - start) for start, after in zip(before, _held(), strict=True))


def _held():
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE"), len(os.listdir("/proc/self/fd"))


def estimators_grow(n_cycles):
    """Clone, fit and use every estimator; return by how much the process grows."""
    warnings.simplefilter("ignore")  # tiny data are degenerate
    cases = list(small_estimators().values())

    def cycle():
        for estimator, X in cases:
            clone(estimator).fit(X, LABELS).transform(X)

    return grown(cycle, n_cycles)


def images_grow(folder, n_images):
    """Extract images, in memory and through a cache; return by how much the process grows."""
    rng = np.random.default_rng(0)
    in_memory = ActivationExtractor(tiny_network(), layers=["conv2"], batch_size=4)
    cached = clone(in_memory).set_params(memory=folder)

    def cycle():
        images = list(rng.integers(0, 256, (25, 30, 30, 3), dtype=np.uint8))
        expected = in_memory.fit_transform(images).values("conv2")
        assert np.array_equal(cached.fit_transform(images).values("conv2"), expected)

    return grown(cycle, n_images // 25)


def check(growth):
    n_bytes, n_files = growth
    print(f"{n_bytes / 2**20:.1f} MiB and {n_files} open files more")
    assert n_files == 0
    assert n_bytes < ALLOWED_BYTES


def test_every_public_estimator_has_a_case():
    assert set(EVERY_ESTIMATOR) == public_estimators()


def test_many_fits_leave_nothing_behind(factor):
    n_cycles = max(FEWEST_CYCLES, round(CYCLES * factor))
    check(watched(estimators_grow, n_cycles, seconds=60 + 2 * n_cycles))


def test_many_images_leave_nothing_behind(tmp_path, factor):
    n_images = N_IMAGES * factor
    check(watched(images_grow, str(tmp_path / "cache"), n_images, seconds=60 + n_images))
