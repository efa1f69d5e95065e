"""
An encoder of one's own
=======================

An idea about pooling is a few lines. Between the maximum of a channel and its average lies the mean
of its strongest positions; everything but that is inherited. See :doc:`/extend`.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from skdeepenc import ActivationExtractor, Whole
from skdeepenc.datasets import make_scenes
from skdeepenc.encoders.base import MapsEncoder
from skdeepenc.functional import l2_normalize


class StrongestMean(MapsEncoder):
    """Average the `n_positions` strongest responses of each channel."""

    def __init__(self, *, layer=None, scales=None, n_positions=8):
        self.layer, self.scales, self.n_positions = layer, scales, n_positions

    def fit(self, X, y=None):
        """Look at the maps; nothing is learned."""
        self._check_maps(X, reset=True)
        return self

    @property
    def _n_features_out(self):
        return self.n_features_in_

    def _encode(self, maps):
        values = [image[maps.layers[0]][0].reshape(-1, self.n_features_in_) for image in maps]
        strongest = [np.sort(each, axis=0)[-self.n_positions :] for each in values]
        return l2_normalize(np.stack([each.mean(axis=0) for each in strongest]))


# %%
# It is an estimator like any other: here it is cross-validated with a classifier behind it.

scenes = make_scenes(120, image_size=96, n_classes=6, random_state=0)
maps = ActivationExtractor(layers="conv5", views=Whole(96)).fit_transform(scenes.images)
numbers = [1, 2, 4, 8, 16, 36, 72, 144]
pipelines = [make_pipeline(StrongestMean(n_positions=n), LinearSVC(C=10)) for n in numbers]
scores = [100 * cross_val_score(each, maps, scenes.target, cv=4) for each in pipelines]
fig, ax = plt.subplots()
errors = [np.std(each, ddof=1) / 2 for each in scores]
ax.errorbar(numbers, np.mean(scores, axis=1), errors, marker="o", capsize=3)
ax.set_xscale("log", base=2)
ax.set(xticks=numbers, xticklabels=["1\nmaximum", *numbers[1:-1], "144\naverage"])
ax.set(xlabel="positions that are averaged", ylabel="accuracy (%)")
ax.grid(axis="y")

# %%
# Bars are standard errors of four folds. The maximum alone loses; from a few positions on, the
# choice matters less than the folds do.
