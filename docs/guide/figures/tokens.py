"""The tokens of a vision transformer, and which of them are a map."""

import numpy as np
from matplotlib.patches import Rectangle
from style import BLUE, GREY, ORANGE, photograph, show, subplots

figure, (image, row) = subplots(1, 2, height=1.7, width_ratios=(1, 4.2))
show(image, photograph(), "4 x 4 patches")
height, width = photograph().shape[:2]
for share in np.linspace(0, 1, 5):
    image.axhline(share * height, color="white", lw=1)
    image.axvline(share * width, color="white", lw=1)
colors = [ORANGE, *[GREY] * 4, *[BLUE] * 16]
places = [0, *range(3, 7), *range(9, 25)]
for place, color in zip(places, colors, strict=True):
    row.add_patch(Rectangle((place, 0), 0.85, 1.6, color=color))
for first, last, text in (
    (0, 0, "class token:\nX[cls]"),
    (3, 6, "registers:\nleft out"),
    (9, 24, "patches, row by row: X, a map of 4 x 4"),
):
    row.text((first + last + 0.85) / 2, -0.3, text, ha="center", va="top")
row.set(xlim=(-2, 25), ylim=(-2.8, 2.4), title="a layer X of tokens", aspect="equal")
row.axis("off")
