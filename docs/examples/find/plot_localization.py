"""
Where in an image a detail is
=============================

A query is often a detail of what it should find. Maxima over a box of the map are compared with the
query's, for many boxes, and the most similar one says where. See :doc:`/guide/cluster_mac`.
"""

import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_image

from skdeepenc import ActivationExtractor, GlobalPooler, Pyramid
from skdeepenc.retrieval import localize

photos = [load_sample_image("china.jpg"), data.coffee(), data.astronaut()[:340]]
boxes = [(150, 20, 330, 200), (300, 200, 400, 320), (160, 10, 300, 170)]
extractor = ActivationExtractor(
    layers="conv5", views=Pyramid(n_scales=1, base=256, aspect="keep")
).fit(photos)

fig, axes = plt.subplots(2, 3, figsize=(7.2, 3.5))
for (above, below), pixels, box in zip(axes.T, photos, boxes, strict=True):
    photo = Image.fromarray(pixels)
    changed = photo.rotate(-8, Image.Resampling.BICUBIC).point(lambda value: 0.7 * value)
    left, top, right, bottom = box
    maps = extractor.transform([photo, changed])
    wanted = maps[:1].crop([(top, left, bottom, right)], [photo.size[::-1]])
    query = GlobalPooler(method="max").fit_transform(wanted)
    found, _ = localize(maps[1:], query, (right - left) / (bottom - top))
    y0, x0, y1, x1 = found[0, 0] * photo.height / maps.grid("conv5")[1, 0, 0]
    for ax, image, corner, size in [
        (above, photo, (left, top), (right - left, bottom - top)),
        (below, changed, (x0, y0), (x1 - x0, y1 - y0)),
    ]:
        ax.imshow(image)
        ax.add_patch(Rectangle(corner, *size, fill=False, edgecolor="#F0E442", linewidth=2.5))
        ax.set(xticks=[], yticks=[])
axes[0, 0].set_ylabel("query")
axes[1, 0].set_ylabel("found")

# %%
# The photographs were turned and darkened, and the box found by the activations alone.
