"""Regions of MAC, R-MAC and ClusterMAC on one photograph."""

import numpy as np
from matplotlib.patches import Rectangle
from style import BLUE, GREEN, ORANGE, maps_of_photograph, photograph, show, subplots

from skdeepenc import ClusterMAC, FeatureMaps
from skdeepenc.functional import rmac_regions

conv5 = maps_of_photograph("conv5")["conv5"]
maps = FeatureMaps.from_arrays([conv5], layer="conv5")
encoder = ClusterMAC(n_clusters=(5, 20), n_color_clusters=0, whiten=False, random_state=0).fit(maps)
labels = encoder.cluster_labels(maps)[0][0]

figure, axes = subplots(1, 4, height=2.2)
height, width = photograph().shape[:2]
show(axes[0], photograph(), "MAC\n1 region, the image")
show(axes[1], photograph(), "R-MAC\n14 squares (4 shown)")
unit = height / len(conv5)
regions = rmac_regions(*conv5.shape[:2])
for y0, x0, y1, x1 in regions[[1, 4, 5, 13]] * unit:
    color = {0: BLUE, 1: ORANGE}.get(int((y1 - y0) < height / 1.9), GREEN)
    axes[1].add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, color=color, lw=1.5))
for ax, partition in zip(axes[2:], np.moveaxis(labels, -1, 0), strict=True):
    n_clusters = len(np.unique(partition))
    show(ax, photograph().mean(axis=2), f"ClusterMAC\n{n_clusters} clusters", cmap="gray")
    extent = (0, width, height, 0)
    ax.imshow(partition, cmap="tab20", alpha=0.55, extent=extent, interpolation="nearest")
