import os
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.testing import assert_allclose
from PIL import Image
from scipy.special import softmax

from skdeepenc.extraction import ActivationExtractor
from skdeepenc.images import Preprocessing, Whole

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif("SKDEEPENC_DATA" not in os.environ, reason="SKDEEPENC_DATA names no folder"),
]


@pytest.mark.filterwarnings("ignore:Nothing says how:skdeepenc.exceptions.ModelWarning")
def test_squeezenet_on_photographs_is_what_onnxruntime_gives():
    """A few plain lines: warp to 227, blue first, less the mean; average, then softmax."""
    data = Path(os.environ["SKDEEPENC_DATA"])
    network = data / "weights" / "squeezenet1_0_deepcomp.onnx"
    photographs = sorted(data.glob("images/flowers17/c*/*.jpg"))[::300]
    pixels = [
        np.asarray(Image.open(path).resize((227, 227), Image.Resampling.BILINEAR), np.float32)
        for path in photographs
    ]
    tensor = np.stack(pixels)[..., ::-1].transpose(0, 3, 1, 2) - np.c_[[104, 117, 123]][:, None]
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"data": tensor.astype(np.float32)})

    caffe = Preprocessing(mean=(104, 117, 123), std=(1, 1, 1), channel_order="BGR", scale=1)
    extractor = ActivationExtractor(
        network, layers="conv10_relu", preprocessing=caffe, views=Whole(size=227)
    )
    maps = extractor.fit_transform(photographs)
    logits = np.array([image["conv10_relu"][0].mean(axis=(0, 1)) for image in maps])
    assert_allclose(softmax(logits, axis=1), expected, atol=1e-4)
