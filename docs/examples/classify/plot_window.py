"""
The window that speaks loudest
==============================

Any classifier of images finds its class in a larger image, without being asked where: it scores
every window as an image of its own, and the best one is framed. See :doc:`/guide/classification`.
"""

import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skdeepenc import ActivationExtractor, GlobalPooler
from skdeepenc.datasets import make_scenes
from skdeepenc.inspection import WindowScanDisplay

learned = make_scenes(200, image_size=64, n_classes=10, random_state=0)
pipeline = make_pipeline(
    ActivationExtractor(layers="conv5"),
    GlobalPooler(method=["avg", "max"]),
    LogisticRegression(C=10, max_iter=500),
).fit(learned.images, [learned.target_names[kind] for kind in learned.target])

scenes = make_scenes(40, image_size=160, random_state=1)
fig, axes = plt.subplots(1, 3, figsize=(7.2, 2.6))
for ax, number in zip(axes, [0, 5, 8], strict=True):
    name = scenes.target_names[scenes.target[number]]
    WindowScanDisplay.from_estimator(
        pipeline, scenes.images[number], name, widths=(192, 128, 96), stride=32, ax=ax
    )

# %%
# The classifier learned from scenes of 64 pixels, without boxes. A window is judged as if it were
# the whole image, so the best one tends to be filled by its object.
