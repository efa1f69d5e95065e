"""Which way the descriptors of two scales would move a mixture, and the mean of both."""

import numpy as np
from matplotlib.patches import Ellipse
from style import BLUE, GREY, ORANGE, subplots

from skdeepenc.functional import fisher_vector, l2_normalize

means, deviations = np.array([[0.0, 0.0], [4.0, 1.0]]), np.array([[0.9, 0.6], [0.7, 1.0]])
mixture = means, deviations**2, np.array([0.5, 0.5])
rng = np.random.default_rng(0)
few = np.array([[1.0, 0.7], [4.2, 2.2]])
many = np.concatenate([rng.normal((-0.4, 0.3), 0.5, (40, 2)), rng.normal((4.5, 0.6), 0.5, (20, 2))])
vectors = [l2_normalize(fisher_vector(x, *mixture)) for x in (few, many)]
pooled = {
    "scale 1: few descriptors": (few, vectors[0]),
    "scale 2: many": (many, vectors[1]),
    "mean of unit vectors (MPP)": (None, np.mean(vectors, axis=0)),
}
figure, axes = subplots(1, 3, height=2.1, sharex=True, sharey=True)
for ax, (title, (descriptors, vector)) in zip(axes, pooled.items(), strict=True):
    for mean, deviation in zip(means, deviations, strict=True):
        for width in (2, 4):
            ax.add_patch(Ellipse(mean, *(width * deviation), fill=False, color=GREY, lw=0.8))
    if descriptors is not None:
        ax.plot(*descriptors.T, "o", color=BLUE, ms=3, alpha=0.7)
    by_mean = vector[: means.size].reshape(means.shape)
    for mean, gradient in zip(means, 2.2 * by_mean, strict=True):
        ax.annotate(
            "", mean + gradient, mean, arrowprops={"arrowstyle": "-|>", "color": ORANGE, "lw": 2}
        )
    ax.set(title=title, xlim=(-2.4, 6.4), ylim=(-2.2, 3.4), xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(False)
