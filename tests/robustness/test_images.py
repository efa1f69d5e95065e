"""Damaged images are decoded or refused with our own error, by the extractor the same ones."""

import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from extraction.conftest import tiny_network

from robustness.mutations import mutated
from robustness.small_images import image_files
from robustness.watched import peak_gigabytes, watched, within_seconds
from skdeepenc.exceptions import ImageError
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.images import decode_image

N_CASES = 125
SECONDS = 10


def decode_damaged(folder, n_cases):
    """Decode images with damage; return outcomes by kind, faults, and the most memory used."""
    warnings.simplefilter("ignore")  # parsers warn of odd tags in what they can read
    outcomes, faults, damaged = Counter(), [], []
    kinds = image_files()
    for case in range(n_cases):
        kind = list(kinds)[case % len(kinds)]
        content = mutated(kinds[kind], np.random.default_rng(case))
        Path(folder, "current").write_bytes(content)  # left behind by what dies of it
        try:
            with within_seconds(SECONDS):
                pixels = decode_image(content)
            outcomes["decoded"] += 1
            if pixels.dtype != np.uint8 or pixels.ndim != 3 or not pixels.size:
                faults.append(f"case {case}, {kind}: {pixels.dtype} of shape {pixels.shape}")
            damaged.append((content, True))
        except ImageError:
            outcomes["refused"] += 1
            damaged.append((content, False))
        except BaseException as error:
            faults.append(f"case {case}, {kind}: {error!r}")
    if _extracted(damaged) != [right for _, right in damaged]:
        faults.append("the extractor takes other images than decode_image does")
    return outcomes, faults, peak_gigabytes()


def _extracted(damaged):
    """Say of every image whether an extractor finds descriptors in it."""
    extractor = ActivationExtractor(tiny_network(), layers=["conv2"], on_error="warn")
    maps = extractor.fit_transform([content for content, _ in damaged])
    return [bool(grid.prod()) for grid in maps.grid("conv2")[:, 0]]


def test_damaged_images_are_decoded_or_refused_with_our_own_error(tmp_path, factor):
    n_cases = N_CASES * factor
    outcomes, faults, peak = watched(decode_damaged, str(tmp_path), n_cases, seconds=60 + n_cases)
    print(f"{dict(outcomes)}, {peak:.2f} GB at most")
    assert not faults, "\n".join(faults[:20])
    assert min(outcomes["decoded"], outcomes["refused"]) > n_cases / 20
    assert peak < 2
