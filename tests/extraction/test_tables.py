"""Images in tables: row labels are carried through, and vectors become tables again."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from skdeepenc.encoders import BagOfVisualWords, CrossLayerPooler, GlobalPooler
from skdeepenc.extraction import ActivationExtractor

pd = pytest.importorskip("pandas")


@pytest.fixture
def table(paths):
    """Images and a number in rows whose labels are not their positions."""
    labels = [f"row {n}" for n in range(len(paths))[::-1]]
    return pd.DataFrame({"path": paths, "width": np.arange(len(paths)) * 1.0}, index=labels)


@pytest.fixture
def columns(model):
    """Vectors of images beside a scaled number."""
    images = make_pipeline(ActivationExtractor(model), GlobalPooler())
    return ColumnTransformer([("image", images, "path"), ("number", StandardScaler(), ["width"])])


def test_rows_keep_their_labels_beside_numbers(columns, table):
    expected = columns.fit_transform(table)
    with config_context(transform_output="pandas"):
        train, test = train_test_split(table, random_state=0)
        assert list(columns.fit(train).transform(test).index) == list(test.index)
        found = columns.fit_transform(table)
    assert list(found.index) == list(table.index)
    assert list(found.columns)[-1] == "number__width"
    assert_array_equal(found, expected)


def test_labels_are_carried_through_unions(model, table):
    with config_context(transform_output="pandas"):
        found = make_pipeline(
            ActivationExtractor(model, layers=["conv1", "conv2"]),
            make_union(GlobalPooler(), BagOfVisualWords(n_words=3, random_state=0)),
        ).fit_transform(table["path"])
    assert list(found.index) == list(table.index)


@pytest.mark.parametrize("with_cache", [False, True])
def test_maps_of_a_column_have_its_labels(model, table, tmp_path, with_cache):
    extractor = ActivationExtractor(model, memory=tmp_path / "cache" if with_cache else None)
    for maps in (extractor.fit_transform(table[["path"]]), extractor.transform(table["path"])):
        assert list(maps[1:3].index) == list(table.index[1:3])
    assert extractor.transform(list(table["path"])).index is None


def test_a_frame_of_polars_gives_one(columns, table):
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({name: list(table[name]) for name in table})
    with config_context(transform_output="polars"):
        found = columns.fit_transform(frame)
    assert isinstance(found, polars.DataFrame)
    assert found.columns[-1] == "number__width"


def test_names_are_of_vectors_however_many_layers_there_are(model, images):
    pipeline = make_pipeline(
        ActivationExtractor(model, layers=["conv1", "conv2", "rgb"]),
        CrossLayerPooler(random_state=0),
    ).fit(images)
    names = pipeline.get_feature_names_out()
    assert len(names) == pipeline.transform(images).shape[1]
    assert names[0] == "crosslayerpooler0"
    assert_array_equal(pipeline.get_feature_names_out(["path"]), names)
