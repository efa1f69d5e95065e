"""Images in every form that the extractor takes, and what is not a list of images."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image
from sklearn.pipeline import make_pipeline

from skdeepenc.extraction import ActivationExtractor
from skdeepenc.extraction.sources import as_sources


def test_every_form_of_an_image_gives_the_same_maps(model, images, paths):
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
        images,
        [image / 255 for image in images],
        [Image.fromarray(image) for image in images],
    ]
    for form in forms:
        assert_allclose(extractor.transform(form).values("conv2"), expected, rtol=1e-5)


def test_a_batch_of_images_is_one_array(model):
    batch = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    extractor = ActivationExtractor(model).fit(batch)
    assert len(extractor.transform(batch)) == 4
    assert len(extractor.transform(batch[..., 0])) == 4  # grey


def test_a_column_of_a_table_is_a_list_of_paths(model, paths):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"path": paths})
    extractor = ActivationExtractor(model).fit(table)
    assert len(extractor.transform(table["path"])) == len(extractor.transform(table)) == len(paths)


def test_a_column_of_polars_is_a_list_of_paths(model, paths):
    polars = pytest.importorskip("polars")
    table = polars.DataFrame({"path": paths})
    extractor = ActivationExtractor(model).fit(table)
    assert len(extractor.transform(table["path"])) == len(extractor.transform(table)) == len(paths)


class TableOfOthers:
    """What tables of polars and pyarrow have in common with those of pandas."""

    def __init__(self, **columns):
        self._columns = columns
        self.columns = list(columns)
        self.shape = len(next(iter(columns.values()))), len(columns)

    def __getitem__(self, name):
        return iter(self._columns[name])


def test_tables_of_other_packages_are_taken_by_their_only_column(paths):
    assert as_sources(TableOfOthers(path=paths)) == paths
    with pytest.raises(ValueError, match=r"2 columns \(path, label\)"):
        as_sources(TableOfOthers(path=paths, label=paths))


def test_iterators_are_read_once(model, paths):
    extractor = ActivationExtractor(model)
    assert len(extractor.fit_transform(iter(paths))) == len(paths)
    assert len(make_pipeline(extractor).fit_transform(path for path in paths)) == len(paths)
    left = iter(paths)
    extractor.fit(left)
    with pytest.raises(ValueError, match="iterator with nothing left"):
        extractor.transform(left)


def test_a_folder_is_told_from_a_single_image(model, tmp_path):
    for folder in (tmp_path, str(tmp_path)):
        with pytest.raises(ValueError, match=r"X is a folder.*rglob"):
            ActivationExtractor(model).fit(folder)


@pytest.mark.parametrize(
    ("X", "reason"),
    [
        ("a.jpg", "single image"),
        (b"content", "single image"),
        (bytearray(b"content"), "single image"),
        ({"a": "a.jpg"}, "list\\(X.values"),
        ([1.0, 2.0], "holds numbers"),
        (np.array("a.jpg"), "shape"),
        (np.array([["a.jpg", "b.jpg"]]), "one of its columns"),
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
