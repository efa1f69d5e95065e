"""
What each layer and each level gives
====================================

Before an encoder is chosen it pays to know where the information is: how deep, and at which size of
the image. Averages are enough to see it. See :doc:`/guide/layers`.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from skdeepenc import ActivationExtractor, GlobalPooler, Pyramid
from skdeepenc.datasets import make_scenes

scenes = make_scenes(72, image_size=144, n_classes=6, random_state=0)
layers, sides = ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"], [64, 96, 144]
views = Pyramid(n_scales=3, ratio=1.5, base=64)
maps = ActivationExtractor(layers=layers, views=views).fit_transform(scenes.images)

accuracy = np.empty((len(layers), len(sides)))
for row, layer in enumerate(layers):
    for level in range(len(sides)):
        pipeline = make_pipeline(
            GlobalPooler(layer=layer, scales=[level]), LinearSVC(C=10, random_state=0)
        )
        scores = cross_val_score(pipeline, maps, scenes.target, cv=3)
        accuracy[row, level] = 100 * scores.mean()

# %%
# Accuracy of a linear classifier of averages.

fig, ax = plt.subplots(figsize=(5, 5))
drawn = ax.imshow(accuracy, cmap="viridis", aspect="auto")
for (row, level), value in np.ndenumerate(accuracy):
    dark = value < accuracy.min() + 0.6 * np.ptp(accuracy)
    ax.text(level, row, f"{value:.0f}", ha="center", va="center", color="w" if dark else "k")
ax.set(xticks=range(len(sides)), xticklabels=sides, yticks=range(len(layers)), yticklabels=layers)
ax.set(xlabel="side of the image (pixels)", ylabel="layer")
fig.colorbar(drawn, label="accuracy (%)")

# %%
# Low layers gain nothing from larger images, the deepest ones a lot: each of their positions sees
# a smaller part of the scene, and there are more of them to average.
