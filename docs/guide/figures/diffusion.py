"""The first results by distance, and by what diffuses along neighbours."""

import numpy as np
from style import BLUE, ORANGE, subplots

from skdeepenc.functional.diffusion import literal_diffusion

rng = np.random.default_rng(0)
angles = np.linspace(0, np.pi, 40)
arc = np.column_stack([np.cos(angles), np.sin(angles)])
points = np.concatenate([arc, [1, 0.45] - arc]) + rng.normal(0, 0.04, (80, 2))
query = np.array([-1.0, -0.12])
squares = ((points[:, None] - points) ** 2).sum(axis=2)
of_query = np.exp(-((points - query) ** 2).sum(axis=1) / 0.1)
diffused = literal_diffusion(
    np.exp(-squares / 0.1), of_query, n_neighbors=5, n_query_neighbors=3, damping=0.99, gamma=3
)
figure, axes = subplots(1, 2, height=2.2)
for ax, scores, title in (
    (axes[0], -((points - query) ** 2).sum(axis=1), "the 40 nearest"),
    (axes[1], diffused, "the 40 that most diffuses to"),
):
    found = np.argsort(-scores)[:40]
    ax.plot(*points.T, "o", color="#bbbbbb", ms=4)
    ax.plot(*points[found].T, "o", color=BLUE, ms=4)
    ax.plot(*query, "*", color=ORANGE, ms=13)
    ax.set(title=title, xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(False)
