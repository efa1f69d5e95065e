"""The tokens of a vision transformer, and which of them are a map."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle
from style import BLUE, GREY, ORANGE, WIDTH, photograph, show

figure, (image, row) = plt.subplots(1, 2, figsize=(WIDTH, 1.7), width_ratios=(1, 3.6))
show(image, photograph(), "4 x 4 patches")
height, width = photograph().shape[:2]
for share in np.linspace(0, 1, 5):
    image.axhline(share * height, color="white", lw=1)
    image.axvline(share * width, color="white", lw=1)
colors = [ORANGE, GREY, GREY, *[BLUE] * 16]
for place, color in enumerate(colors):
    row.add_patch(Rectangle((place, 0), 0.85, 1.6, color=color))
for first, last, text in (
    (0, 0, "class token\nX[cls]"),
    (1, 2, "registers:\nleft out"),
    (3, 18, "patches, row by row: X, a map of 4 x 4"),
):
    row.text((first + last + 0.85) / 2, -0.3, text, ha="center", va="top")
row.set(xlim=(-1.6, 19), ylim=(-2.2, 2.4), title="a layer X of tokens", aspect="equal")
row.axis("off")
