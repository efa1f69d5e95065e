"""
Which layer, and how many visual words?
=======================================

Settings of an encoder are best found as any others are, by cross-validation. Here the network runs
once per image, and every candidate takes its maps from memory. See :doc:`/guide/grid_search`.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from skdeepenc import ActivationExtractor, MOPVLADEncoder, Whole
from skdeepenc.datasets import make_scenes

layers, words = ["conv3", "conv4", "conv5"], [1, 4, 16, 64]
scenes = make_scenes(72, image_size=96, n_classes=6, random_state=0)
maps = ActivationExtractor(layers=layers, views=Whole(96)).fit_transform(scenes.images)
encoder = MOPVLADEncoder(
    n_components=32, n_output_components=None, max_samples=3_000, random_state=0
)
pipeline = make_pipeline(encoder, LinearSVC(C=10, random_state=0))
grid = {"mopvladencoder__layer": layers, "mopvladencoder__n_clusters": words}
search = GridSearchCV(pipeline, grid, cv=3).fit(maps, scenes.target)

# %%
# Markers are means of three folds, and bars the standard errors of these means.

mean, spread = (100 * search.cv_results_[f"{name}_test_score"] for name in ("mean", "std"))
fig, ax = plt.subplots()
for n, layer in enumerate(layers):
    row = slice(n * len(words), (n + 1) * len(words))
    places = np.arange(len(words)) + 0.06 * (n - 1)
    ax.errorbar(places, mean[row], spread[row] / 2**0.5, marker="os^"[n], label=layer, capsize=3)
ax.set(xticks=range(len(words)), xticklabels=words)
ax.set(xlabel="visual words", ylabel="accuracy (%)", title="Six kinds of scenes, three folds")
ax.grid(axis="y")
ax.legend()

# %%
# Words help every layer: with a single one, VLAD is little more than an average. Whether more than
# 16 are worth their length, these three folds do not say for the deepest layer.
