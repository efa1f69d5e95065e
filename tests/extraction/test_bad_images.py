"""Images that cannot be read, and activations that are not numbers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skdeepenc.exceptions import ImageBatchError, ImageWarning, NonFiniteError
from skdeepenc.extraction import ActivationExtractor, backbone_runs
from skdeepenc.images import Preprocessing


@pytest.fixture
def bad_paths(tmp_path, paths):
    """Good and bad in turn."""
    contents = {"empty.jpg": b"", "text.jpg": b"no image", "cut.png": None, "bomb.png": None}
    with open(paths[0], "rb") as file:
        whole = file.read()
    contents["cut.png"] = whole[: len(whole) // 2]
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content or b"")
    bad = [str(tmp_path / name) for name in ("absent.jpg", "empty.jpg", "text.jpg", "cut.png")]
    return [path for pair in zip(bad, paths[:4], strict=True) for path in pair]


@pytest.mark.parametrize("with_cache", [False, True])
def test_one_error_lists_every_bad_image(model, tmp_path, bad_paths, with_cache):
    memory = tmp_path / "cache" if with_cache else None
    extractor = ActivationExtractor(model, memory=memory, batch_size=2).fit(bad_paths)
    with pytest.raises(ImageBatchError) as caught:
        extractor.transform(bad_paths)
    assert list(caught.value.failures) == bad_paths[::2]
    reasons = ["no such file", "empty", "not an image", "damaged or cut off"]
    for path, reason in zip(bad_paths[::2], reasons, strict=True):
        assert reason in caught.value.failures[path]
        assert path in str(caught.value)
    if with_cache:
        assert backbone_runs(memory) == 4


@pytest.mark.parametrize("with_cache", [False, True])
def test_bad_images_can_be_left_without_descriptors(model, tmp_path, bad_paths, with_cache):
    memory = tmp_path / "cache" if with_cache else None
    extractor = ActivationExtractor(model, memory=memory, on_error="warn").fit(bad_paths)
    with pytest.warns(ImageWarning, match=r"4 images could not be read"):
        maps = extractor.transform(bad_paths)
    assert len(maps) == 8
    assert_array_equal(maps.grid("conv2")[:, 0], [[0, 0], [4, 4]] * 4)
    good = ActivationExtractor(model).fit_transform(bad_paths[1::2])
    assert_allclose(maps.values("conv2"), good.values("conv2"), rtol=1e-6)


@pytest.mark.parametrize("with_cache", [False, True])
def test_images_may_all_be_bad(model, tmp_path, bad_paths, with_cache):
    memory = tmp_path / "cache" if with_cache else None
    extractor = ActivationExtractor(model, memory=memory, on_error="warn").fit(bad_paths)
    with pytest.warns(ImageWarning):
        maps = extractor.transform(bad_paths[::2])
    assert maps.shape == (4,)
    assert maps.values("conv2").shape == (0, 5)


def test_arrays_are_named_by_their_position(model, images):
    extractor = ActivationExtractor(model).fit(images)
    with pytest.raises(ImageBatchError, match=r"image 1 \(array of shape \(5,\)\)"):
        extractor.transform([images[0], np.zeros(5)])


def test_bad_images_do_not_spoil_the_projection(model, bad_paths):
    extractor = ActivationExtractor(model, n_components=2, on_error="warn")
    with pytest.warns(ImageWarning, match="4 images"):
        extractor.fit(bad_paths)
    with pytest.warns(ImageWarning, match="4 images"):
        assert extractor.transform(bad_paths).n_channels("conv2") == 2


def test_nothing_but_bad_images_is_an_error(model, bad_paths):
    extractor = ActivationExtractor(model, n_components=2, on_error="warn")
    with pytest.raises(ImageBatchError):
        extractor.fit(bad_paths[::2])


def test_infinity_is_named_with_its_image_and_layer(model, paths):
    endless = Preprocessing(mean=(0, 0, 0), std=(1, 1, 1), scale=1e36)
    extractor = ActivationExtractor(model, preprocessing=endless).fit(paths)
    with pytest.raises(NonFiniteError, match=r"'conv2' on .*00\.png hold NaN or infinity"):
        extractor.transform(paths)


def test_values_beyond_float16_are_named(model, paths):
    large = Preprocessing(mean=(0, 0, 0), std=(1, 1, 1), scale=1e3)
    extractor = ActivationExtractor(model, preprocessing=large, dtype="float16").fit(paths)
    with pytest.raises(NonFiniteError, match="too large for float16"):
        extractor.transform(paths)
