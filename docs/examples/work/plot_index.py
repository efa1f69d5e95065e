"""
An index that grows
===================

A folder gains images every day. An update encodes what is new and leaves what it knows, by its
content and not by its name, and better answers turn up. See :doc:`/guide/search`.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
from PIL import Image

from skdeepenc import image_pipeline
from skdeepenc.datasets import make_scenes
from skdeepenc.search import ImageIndex

query, *pictures = make_scenes(151, image_size=64, n_classes=5, random_state=0).images
fig, axes = plt.subplot_mosaic("q0123;bbbbb", figsize=(7.2, 4), height_ratios=[1, 1.3])
axes["q"].imshow(query)
axes["q"].set_title("query")
encoded, known = [10], [0]
with TemporaryDirectory() as place:
    folder = Path(place, "photos")
    folder.mkdir()
    for day in range(4):
        for path in folder.glob("*.png"):
            path.rename(path.with_stem(f"{path.stem} moved"))
        for number in range(10 * 2**day):
            Image.fromarray(pictures.pop()).save(folder / f"{day}-{number}.png")
        if day == 0:
            index = ImageIndex.build(image_pipeline("category-retrieval"), folder, f"{place}/index")
        else:
            summary = index.update(folder)
            encoded.append(summary.n_encoded)
            known.append(summary.n_reused + summary.n_unchanged)
        best = index.search([query], n_neighbors=1).iloc[0]
        axes[str(day)].imshow(Image.open(best["image"]))
        axes[str(day)].set_title(f"day {day + 1}: {best['similarity']:.2f}")

days = [f"day {day}" for day in range(1, 5)]
axes["b"].barh(days, known, color="0.8", label="known, under another name")
axes["b"].barh(days, encoded, left=known, label="encoded")
axes["b"].set(xlabel="images in the index")
axes["b"].invert_yaxis()
axes["b"].legend()
for name in "q0123":
    axes[name].set(xticks=[], yticks=[])

# %%
# Every day the old images were given new names, and none was encoded again. Above are the query
# and the first result of each day.
