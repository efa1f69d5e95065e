"""Drawn scenes, and what encodes them, for tests of indexes."""

import numpy as np
from sklearn.pipeline import make_pipeline

from skdeepenc import ActivationExtractor, GlobalPooler
from skdeepenc.datasets import make_scenes

SCENES = np.stack(make_scenes(12, image_size=64, random_state=0).images)


def pooled(*steps):
    """Return a pipeline of the embedded network, not fitted."""
    return make_pipeline(ActivationExtractor(layers="conv5"), GlobalPooler(), *steps)
