"""Soft assignment to words, and the residuals that VLAD sums."""

import numpy as np
from style import BLUE, GREY, ORANGE, subplots

from skdeepenc.functional import soft_assign, vlad

rng = np.random.default_rng(3)
words = np.array([[0.0, 0.0], [4.0, 0.6], [1.8, 3.2]])
descriptors = np.concatenate([word + rng.normal(0.7, 0.8, (6, 2)) for word in words])
figure, axes = subplots(1, 3, height=2.7, sharex=True, sharey=True)
for ax, r, title in zip(axes, (1, 2), ("hard: r = 1", "soft: r = 2, σ = 1.5"), strict=False):
    indices, weights = soft_assign(descriptors, words, r, sigma=1.5)
    for descriptor, near, shares in zip(descriptors, indices, weights, strict=True):
        for word, share in zip(words[near], shares, strict=True):
            ax.plot(*zip(descriptor, word, strict=True), color=GREY, lw=1.5, alpha=float(share))
    ax.set_title(title)
for ax in axes:
    ax.plot(*descriptors.T, "o", color=BLUE, ms=4)
    ax.plot(*words.T, "s", color=ORANGE, ms=8)
    ax.set(xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(False)
residuals = vlad(descriptors, words, *soft_assign(descriptors, words, 2, sigma=1.5))
for word, residual in zip(words, residuals / 6, strict=True):
    axes[2].annotate(
        "", word + residual, word, arrowprops={"arrowstyle": "-|>", "color": ORANGE, "lw": 2}
    )
axes[2].set_title("sums of residuals (÷ 6)")
