"""How the activations of three images lie in one array."""

import numpy as np
from matplotlib.patches import Rectangle
from style import BLUE, GREEN, ORANGE, subplots

grids = [[(2, 3), (3, 4)], [(3, 2), (4, 3)], [(2, 2), (3, 3)]]
figure, (maps, column) = subplots(2, 1, height=2.6, height_ratios=(3, 1.3))
start, position = 0.0, 0
for number, (scales, color) in enumerate(zip(grids, (BLUE, ORANGE, GREEN), strict=True)):
    first = position
    for scale, (height, width) in enumerate(scales):
        for y, x in np.ndindex(height, width):
            maps.add_patch(Rectangle((start + x, -y - 1), 1, 1, fc=color, ec="white", alpha=0.8))
        maps.text(start, 0.3, f"[{number}, {scale}]  {height} x {width}")
        column.add_patch(
            Rectangle((position, 0), height * width, 1, fc=color, ec="white", alpha=0.8)
        )
        start, position = start + width + 1.6, position + height * width
    column.text((first + position) / 2, -0.25, f"image {number}", ha="center", va="top")
    start += 1.2
maps.set(xlim=(-0.2, start), ylim=(-4.2, 1.2), title="maps: a grid per image and scale")
maps.set_aspect("equal")
column.set(xlim=(0, position), ylim=(-1.2, 1.1))
column.set_title("values: one row per position, in this order")
for ax in (maps, column):
    ax.axis("off")
