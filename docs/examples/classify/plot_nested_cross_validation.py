"""
How good is the best of many?
=============================

The best score of a search is the luckiest one: some of it is luck with these folds. Searching
inside of each fold of an outer cross-validation leaves the luck out. See :doc:`/guide/grid_search`.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from skdeepenc import ActivationExtractor, GlobalPooler
from skdeepenc.datasets import make_scenes

scenes = make_scenes(60, image_size=64, n_classes=5, random_state=0)
layers = ["conv3", "conv4", "conv5"]
maps = ActivationExtractor(layers=layers).fit_transform(scenes.images)
grid = {"globalpooler__layer": layers, "globalpooler__method": ["avg", "max"]}
pipeline = make_pipeline(GlobalPooler(), LinearSVC(random_state=0))

best, nested = [], []
for seed in range(6):
    inner = StratifiedKFold(3, shuffle=True, random_state=seed)
    outer = StratifiedKFold(3, shuffle=True, random_state=100 + seed)
    search = GridSearchCV(pipeline, grid, cv=inner)
    best.append(100 * search.fit(maps, scenes.target).best_score_)
    nested.append(100 * cross_val_score(search, maps, scenes.target, cv=outer).mean())

# %%
# One line per split of the same 60 images.

fig, ax = plt.subplots(figsize=(5.2, 4.2))
ax.plot([0, 1], [best, nested], color="0.75", linewidth=1, zorder=1)
for place, scores in enumerate([best, nested]):
    ax.scatter(np.full(len(scores), place), scores, color=f"C{place}", zorder=2)
    ax.plot([place - 0.12, place + 0.12], [np.mean(scores)] * 2, color=f"C{place}", linewidth=3)
ax.set(xticks=[0, 1], xticklabels=["best of the search", "nested"], xlim=(-0.4, 1.4))
ax.set(ylabel="accuracy (%)", title=f"Optimism: {np.mean(best) - np.mean(nested):.1f} points")
ax.grid(axis="y")

# %%
# Bars are means. The best score of a search promises more than the search keeps on other images.
