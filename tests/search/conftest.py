"""A fitted pipeline of a network that is computed by hand, and small images of everything."""

import numpy as np
import pytest
from extraction.conftest import tiny_network
from PIL import Image
from sklearn.pipeline import make_pipeline

from skdeepenc import ActivationExtractor, GlobalPooler

N_IMAGES, N_FEATURES = 7, 5


@pytest.fixture(scope="session")
def pixels():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (20, 16 + n, 3), dtype=np.uint8) for n in range(N_IMAGES)]


@pytest.fixture(scope="session")
def pipeline(pixels):
    extractor = ActivationExtractor(tiny_network(), layers=["conv2"], n_jobs=2)
    return make_pipeline(extractor, GlobalPooler(normalize=False)).fit(pixels)


@pytest.fixture(scope="session")
def expected(pipeline, pixels):
    return pipeline.transform(pixels).astype(np.float16)


@pytest.fixture
def photos(tmp_path, pixels):
    """A folder of images, the sixth of which cannot be read."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{number}.png")
    (folder / "5.png").write_bytes(b"<html>please log in</html>")
    return folder
