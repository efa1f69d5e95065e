"""
Copies in a folder
==================

Photographs are resized, cropped and compressed on their way, and the copies pile up. An index finds
them without being told what similarity a copy has. See :doc:`/guide/search`.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
from PIL import Image, ImageEnhance
from skimage import data

from skdeepenc import image_pipeline
from skdeepenc.datasets import make_scenes
from skdeepenc.search import ImageIndex

photos = {"cat": data.chelsea(), "coffee": data.coffee(), "rocket": data.rocket()}
with TemporaryDirectory() as place:
    folder = Path(place, "photos")
    folder.mkdir()
    for name, pixels in photos.items():
        photo = Image.fromarray(pixels)
        width, height = photo.size
        photo.save(folder / f"{name}.png")
        photo.resize((width // 3, height // 3)).save(folder / f"{name}, a third.png")
        photo.save(folder / f"{name}, quality 10.jpg", quality=10)
        photo.crop((12, 8, width - 12, height - 8)).save(folder / f"{name}, cropped.png")
        ImageEnhance.Brightness(photo).enhance(1.3).save(folder / f"{name}, brighter.png")
    for number, scene in enumerate(make_scenes(40, random_state=0).images):
        Image.fromarray(scene).save(folder / f"scene {number}.png")
    index = ImageIndex.build(image_pipeline("duplicates"), folder, Path(place, "index"))
    groups = [group for _, group in index.duplicates().groupby("group")]

    fig, axes = plt.subplots(len(groups), 5, figsize=(7.2, 4.4), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for row, group in zip(axes, groups, strict=True):
        for ax, name, similarity in zip(row, group["image"], group["similarity"], strict=False):
            ax.imshow(Image.open(name))
            ax.set_title(f"{Path(name).stem}\n{similarity:.3f}", fontsize="small")

# %%
# A row is a group, and below each name is the similarity with the nearest other one of its group.
# The threshold came from the collection: no scene joined a group, and one strongly compressed
# photograph was left out of its own.
