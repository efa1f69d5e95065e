"""
What a guide map looks at
=========================

Cross-layer pooling averages the descriptors of one layer once per channel of the next, weighted by
where that channel responds: each channel is a soft part detector. See :doc:`/guide/cross_layer`.
"""

import matplotlib.pyplot as plt
import numpy as np
from skimage import data
from sklearn.datasets import load_sample_image

from skdeepenc import ActivationExtractor, Pyramid

photos = [load_sample_image("china.jpg"), data.chelsea(), data.coffee()]
views = Pyramid(n_scales=1, base=224, aspect="keep")
maps = ActivationExtractor(layers="conv5", views=views).fit_transform(photos)
typical = np.mean([image["conv5"][0].mean(axis=(0, 1)) for image in maps], axis=0)

fig, axes = plt.subplots(3, 5, figsize=(7.2, 3.4))
for row, photo, image in zip(axes, photos, maps, strict=True):
    guide = image["conv5"][0]
    row[0].imshow(photo)
    most = np.argsort(typical - guide.mean(axis=(0, 1)))[:4]
    for ax, channel in zip(row[1:], most, strict=True):
        ax.imshow(photo.mean(axis=2), cmap="gray")
        extent = (-0.5, photo.shape[1] - 0.5, photo.shape[0] - 0.5, -0.5)
        response = guide[..., channel] / guide[..., channel].max()
        ax.imshow(response, cmap="YlOrRd", alpha=response, extent=extent, interpolation="bilinear")
        ax.set_title(f"channel {channel}", fontsize="small")
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])

# %%
# The four channels that respond to each photograph more than to the others.
