"""
Where a classifier sees its class
=================================

A label says that there is a cat, not where. The Fisher vector of an image is a sum over positions,
so the linear classifier behind it scores every position, too. See :doc:`/guide/fisher`.

A classifier learns from crops of six photographs, and is asked about a collage of all of them,
mirrored.
"""

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_image
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from skdeepenc import ActivationExtractor, MultiScaleFisherEncoder, Whole
from skdeepenc.inspection import ConfidenceMapDisplay

photos = [data.chelsea(), data.coffee(), load_sample_image("flower.jpg")]
photos += [load_sample_image("china.jpg"), data.rocket(), data.astronaut()[:340]]
names = ["cat", "coffee", "flower", "pagoda", "rocket", "astronaut"]
small = [np.asarray(Image.fromarray(photo).resize((192, 128))) for photo in photos]
corners = np.random.default_rng(0).integers((32, 96), size=(12, 2))
crops = [photo[y : y + 96, x : x + 96] for photo in small for y, x in corners]

pipeline = make_pipeline(
    ActivationExtractor(layers="conv5", views=Whole(96)),
    MultiScaleFisherEncoder(n_components=32, n_gaussians=8, max_samples=3000, random_state=0),
    LinearSVC(C=10, random_state=0),
).fit(crops, np.repeat(names, len(corners)))

# %%
# The network takes images of any size: the collage is not cut to pieces.

mirrored = [photo[:, ::-1] for photo in small]
collage = np.vstack([np.hstack(mirrored[:3]), np.hstack(mirrored[3:])])
pipeline.set_params(activationextractor__views=Whole(collage.shape[:2]))
fig, axes = plt.subplots(2, 2, figsize=(7.2, 3.2))
axes[0, 0].imshow(collage)
axes[0, 0].set(xticks=[], yticks=[], title="collage")
for ax, name in zip(axes.flat[1:], ["cat", "flower", "pagoda"], strict=True):
    display = ConfidenceMapDisplay.from_estimator(pipeline, collage, name, ax=ax, colorbar=False)
    display.im_.set_clim(-1, 1)
fig.colorbar(display.im_, ax=axes, label="lead over rivals (score)", shrink=0.8)

# %%
# Red positions speak for the class, blue ones for another. No box was drawn for learning.
