"""Vectors in a narrow cone, whitened without and with labels."""

import numpy as np
from style import BLUE, GREEN, ORANGE, subplots

from skdeepenc import PowerLawWhitening, SupervisedWhitening

rng = np.random.default_rng(1)
labels = np.repeat([0, 1, 2], 30)
across = np.array([[-0.35, 0.25], [0.0, 0.0], [0.35, -0.25]])[labels]
along = rng.normal(0, 0.55, (90, 1)) * [0.8, 0.6]
vectors = np.array([2.4, 2.0]) + across + along + rng.normal(0, 0.07, (90, 2))
pictures = {
    "averages": vectors,
    "PowerLawWhitening(power=1)": PowerLawWhitening(power=1).fit_transform(vectors),
    "SupervisedWhitening()": SupervisedWhitening().fit_transform(vectors, labels),
}
figure, axes = subplots(1, 3, height=2.3)
for ax, (title, points) in zip(axes, pictures.items(), strict=True):
    for label, color, marker in zip(range(3), (BLUE, ORANGE, GREEN), "os^", strict=True):
        ax.plot(*points[labels == label].T, marker, color=color, ms=3.5, alpha=0.8)
    ax.plot(0, 0, "+", color="black", ms=9)
    ax.set(title=title, xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(False)
