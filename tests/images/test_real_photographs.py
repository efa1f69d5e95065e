import os
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from skdeepenc.images import _jpeg, decode_image

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif("SKDEEPENC_DATA" not in os.environ, reason="SKDEEPENC_DATA names no folder"),
]


@pytest.fixture(scope="module")
def photographs():
    folder = Path(os.environ["SKDEEPENC_DATA"]) / "images"
    flowers = sorted(folder.glob("flowers17/c*/*.jpg"))[::200]
    return flowers + sorted(folder.glob("oxford5k_subset/jpg/*.jpg"))[::200]


@pytest.mark.parametrize("smallest", [None, 64])
def test_simplejpeg_gives_the_pixels_of_pillow(photographs, smallest, monkeypatch):
    pytest.importorskip("simplejpeg")
    fast = [decode_image(path, smallest=smallest) for path in photographs]
    monkeypatch.setattr(_jpeg, "_simplejpeg", lambda: None)
    for path, pixels in zip(photographs, fast, strict=True):
        assert_array_equal(pixels, decode_image(path, smallest=smallest))


def test_shrinking_while_decoding_matters_less_than_the_resampling_filter(photographs):
    def resized(pixels, method=Image.Resampling.BILINEAR):
        return np.asarray(Image.fromarray(pixels).resize((64, 64), method), dtype=int)

    of_shrinking, of_filter = [], []
    for path in photographs:
        full, shrunk = decode_image(path), decode_image(path, smallest=64)
        assert shrunk.size < full.size
        of_shrinking.append(np.abs(resized(shrunk) - resized(full)).mean())
        bicubic = resized(full, Image.Resampling.BICUBIC)
        of_filter.append(np.abs(bicubic - resized(full)).mean())
    assert np.mean(of_shrinking) < 2
    assert np.mean(of_shrinking) < np.mean(of_filter)
