"""
What is shown, and how it looks
===============================

A high layer knows what an image shows, a low one how it looks. Here scenes are tinted, and a result
is right if it has both the query's object and its tint. See :doc:`/guide/layer_fusion`.
"""

import matplotlib.pyplot as plt
import numpy as np

from skdeepenc import ActivationExtractor, GlobalPooler, LayerFusionRanker, Whole
from skdeepenc.datasets import make_scenes

scenes = make_scenes(150, image_size=96, n_classes=4, random_state=0)
tints = np.random.default_rng(0).integers(3, size=150)
colors = np.array([[1.0, 0.7, 0.7], [0.7, 1.0, 0.7], [0.7, 0.7, 1.0]])
images = [
    (im * colors[tint]).astype(np.uint8) for im, tint in zip(scenes.images, tints, strict=True)
]
wanted = 3 * scenes.target + tints

layers = ["conv5", "conv1"]
maps = ActivationExtractor(layers=layers, views=Whole(96)).fit_transform(images)
vectors = {layer: GlobalPooler(layer=layer).fit_transform(maps) for layer in layers}


def precision(layers, **settings):
    """Return the mean average precision of 50 queries among 100 images, in per cent."""
    asked, gallery = ([vectors[la][part] for la in layers] for part in (slice(50), slice(50, None)))
    ranker = LayerFusionRanker(**settings).fit(gallery, wanted[50:])
    return 100 * ranker.score(asked, wanted[:50])


powers = np.linspace(0, 1, 6)
fig, ax = plt.subplots()
both = [precision(layers, power=power) for power in powers]
ax.plot(powers, both, marker="o")
ax.text(1, both[-1] + 0.5, "both layers", color="C0", ha="right")
for color, layer in zip(["C1", "C2"], layers, strict=True):
    alone = precision([layer])
    ax.axhline(alone, color=color, linestyle="--")
    ax.text(1, alone + 0.5, f"{layer} alone", color=color, ha="right")
ax.set(xlabel="power of the high layer's similarities", ylabel="mean average precision (%)")
ax.margins(y=0.15)

# %%
# Adding the layers gains more than the choice of the power, which maps similarities of the high
# layer that are above a threshold.
