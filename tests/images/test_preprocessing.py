import json
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skdeepenc.images import Preprocessing

CAFFE = Preprocessing(mean=(104, 117, 123), std=(1, 1, 1), channel_order="BGR", scale=1)


def reference(images, preprocessing):
    """The equation, pixel by pixel in float64."""
    pixels = np.asarray(images, dtype=np.float64) * preprocessing.scale
    if preprocessing.channel_order == "BGR":
        pixels = pixels[..., ::-1]
    return np.moveaxis((pixels - preprocessing.mean) / preprocessing.std, -1, 1)


@pytest.mark.parametrize("preprocessing", [Preprocessing(), CAFFE])
def test_tensor_is_the_equation(preprocessing):
    images = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), dtype=np.uint8)
    tensor = preprocessing.to_tensor(images)
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    assert_allclose(tensor, reference(images, preprocessing), rtol=1e-5, atol=1e-5)


def test_tensor_is_written_where_it_is_told():
    images = np.zeros((2, 4, 4, 3), dtype=np.uint8)
    out = np.full((2, 3, 4, 4), np.nan, dtype=np.float32)
    assert CAFFE.to_tensor(images, out=out) is out
    assert_allclose(out[0, :, 0, 0], [-104, -117, -123])


@pytest.mark.parametrize("preprocessing", [Preprocessing(), CAFFE])
def test_record_survives_json_and_pickle(preprocessing):
    text = json.dumps(preprocessing.to_dict())
    assert Preprocessing.from_dict(json.loads(text)) == preprocessing
    assert pickle.loads(pickle.dumps(preprocessing)) == preprocessing
    assert hash(Preprocessing.from_dict(json.loads(text))) == hash(preprocessing)


@pytest.mark.parametrize(
    "parameters",
    [
        {"mean": (0, 0)},
        {"mean": (0, 0, np.nan)},
        {"std": (1, 0, 1)},
        {"std": (1, -1, 1)},
        {"scale": 0},
        {"channel_order": "GBR"},
    ],
)
def test_impossible_values_are_refused(parameters):
    with pytest.raises(ValueError, match=next(iter(parameters))):
        Preprocessing(**parameters)


def test_unknown_fields_are_refused():
    with pytest.raises(ValueError, match="has no parameter size"):
        Preprocessing.from_dict({"size": 3})
