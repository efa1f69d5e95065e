"""The words of a photograph, their counts, and what selectivity makes of similarities."""

import numpy as np
from style import BLUE, GREY, ORANGE, maps_of_photograph, photograph, show, subplots

from skdeepenc.functional.asmk import selectivity
from skdeepenc.functional.visual_words import fit_codebook

conv5 = maps_of_photograph("conv5")["conv5"]
descriptors = conv5.reshape(-1, conv5.shape[-1])
words = fit_codebook(descriptors, 12, random_state=0)
labels = ((descriptors[:, None] - words) ** 2).sum(axis=2).argmin(axis=1)

figure, axes = subplots(1, 3, height=2.3)
show(axes[0], photograph().mean(axis=2), "nearest word of each position", cmap="gray")
height, width = photograph().shape[:2]
axes[0].imshow(
    labels.reshape(conv5.shape[:2]),
    cmap="tab20",
    alpha=0.55,
    extent=(0, width, height, 0),
    interpolation="nearest",
)
counts = np.sort(np.bincount(labels, minlength=len(words)))[::-1]
places = np.arange(len(words))
axes[1].bar(places - 0.2, counts / counts.sum(), 0.4, color=BLUE, label="counts")
roots = np.sqrt(counts)
axes[1].bar(places + 0.2, roots / roots.sum(), 0.4, color=ORANGE, label="power=0.5")
axes[1].set(title="share of each word", xlabel="word", xticks=[])
axes[1].legend()
similarities = np.linspace(-1, 1, 201)
for alpha, color, line in ((1.0, GREY, ":"), (3.0, BLUE, "-")):
    label = rf"$\alpha$ = {alpha:.0f}"
    axes[2].plot(
        similarities, selectivity(similarities, alpha, 0.0), color=color, ls=line, label=label
    )
axes[2].set(title="ASMK: selectivity, threshold 0", xlabel="similarity u", ylabel=r"$\sigma(u)$")
axes[2].legend()
