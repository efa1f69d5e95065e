"""A fitted extractor belongs to one model, wherever its file lies."""

import pickle

import numpy as np
import onnx
import pytest
from numpy.testing import assert_array_equal

from skdeepenc.exceptions import ModelError
from skdeepenc.extraction import ActivationExtractor


@pytest.fixture
def path(model, tmp_path):
    file = tmp_path / "tiny.onnx"
    file.write_bytes(model)
    return file


@pytest.fixture
def other_model(model):
    other = onnx.load_from_string(model)
    other.graph.initializer[0].raw_data = np.ones((5, 3, 4, 4), dtype=np.float32).tobytes()
    return other.SerializeToString()


@pytest.mark.parametrize("how", ["relocate", "set_params"])
def test_a_moved_file_is_followed(how, path, images):
    extractor = ActivationExtractor(path)
    expected = extractor.fit_transform(images).values("conv2")
    extractor = pickle.loads(pickle.dumps(extractor))
    moved = path.rename(path.with_name("moved.onnx"))
    if how == "relocate":
        assert extractor.relocate(moved) is extractor
    else:
        extractor.set_params(model=moved)
    assert_array_equal(extractor.transform(images).values("conv2"), expected)
    assert extractor.model == moved


def test_another_model_is_not_followed(path, other_model, images):
    extractor = ActivationExtractor(path).fit(images)
    other = path.with_name("other.onnx")
    other.write_bytes(other_model)
    with pytest.raises(ModelError, match=r"other\.onnx is another model.*fit again"):
        extractor.set_params(model=other).transform(images)
    with pytest.raises(ModelError, match=r"other\.onnx is another model"):
        extractor.relocate(other)
    assert extractor.fit(images).backbone_.model == other


def test_projections_belong_to_the_model_of_the_fit(path, other_model, images, monkeypatch):
    """The file is replaced while the projections are learned."""
    fit = ActivationExtractor._fit_projections

    def replacing(self, sources):
        projections = fit(self, sources)
        path.write_bytes(other_model)
        return projections

    expected = ActivationExtractor(path, n_components=2, random_state=0).fit_transform(images)
    monkeypatch.setattr(ActivationExtractor, "_fit_projections", replacing)
    maps = ActivationExtractor(path, n_components=2, random_state=0).fit_transform(images)
    assert_array_equal(maps.values("conv2"), expected.values("conv2"))
