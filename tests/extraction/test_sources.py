"""Images in every form that the extractor takes, and what is no list of images."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from skdeepenc.extraction import ActivationExtractor


def test_every_form_of_an_image_gives_the_same_maps(model, pictures, paths):
    extractor = ActivationExtractor(model).fit(paths)
    expected = extractor.transform(paths).values("conv2")
    contents = []
    for path in paths:
        with open(path, "rb") as file:
            contents.append(file.read())
    forms = [
        np.array(paths),
        np.array(paths, dtype=object),
        np.array(paths)[:, None],
        contents,
        pictures,
        [picture / 255 for picture in pictures],
        [Image.fromarray(picture) for picture in pictures],
    ]
    for form in forms:
        assert_allclose(extractor.transform(form).values("conv2"), expected, rtol=1e-5)


def test_a_batch_of_pictures_is_one_array(model):
    batch = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    extractor = ActivationExtractor(model).fit(batch)
    assert len(extractor.transform(batch)) == 4
    assert len(extractor.transform(batch[..., 0])) == 4  # grey


def test_a_column_of_a_table_is_a_list_of_paths(model, paths):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"path": paths})
    extractor = ActivationExtractor(model).fit(table)
    assert len(extractor.transform(table["path"])) == len(extractor.transform(table)) == len(paths)


@pytest.mark.parametrize(
    ("X", "reason"),
    [
        ("a.jpg", "single image"),
        (b"content", "single image"),
        (Image.new("RGB", (4, 4)), "single image"),
        (np.zeros((16, 16, 3)), "single image"),
        (np.zeros((16, 16)), "rows of numbers"),
        (np.zeros(16), "rows of numbers"),
        ([], "0 samples"),
        (np.zeros((0, 16, 16, 3)), "0 samples"),
    ],
)
def test_what_is_no_list_of_images_says_so(model, X, reason):
    with pytest.raises(ValueError, match=reason):
        ActivationExtractor(model).fit(X)
