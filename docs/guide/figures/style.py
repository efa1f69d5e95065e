"""What the figures of the guide share: colours that all readers tell apart, and a photograph."""

from functools import cache

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

# Okabe and Ito's colours; lines differ in style as well.
BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#666666"
WIDTH = 7.2  # inches: the width of a page's text
STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


def subplots(n_rows, n_columns, *, height, **options):
    """Return a figure as wide as the text, and its axes."""
    plt.rcParams.update(STYLE)  # Sphinx puts them back after each figure
    return plt.subplots(n_rows, n_columns, figsize=(WIDTH, height), layout="constrained", **options)


@cache
def photograph():
    """Return a temple by danielbuechele (CC BY 2.0), which comes with scikit-learn."""
    return load_sample_image("china.jpg")[:, 60:487]


@cache
def maps_of_photograph(*layers, size=256):
    """Return the embedded model's maps (H, W, D) of the photograph, by layer."""
    from skdeepenc import ActivationExtractor, Whole

    extractor = ActivationExtractor(layers=list(layers), views=Whole(size))
    image = extractor.fit_transform([photograph()])[0]
    return {layer: scales[0] for layer, scales in image.items()}


def show(ax, image, title="", **options):
    """Draw an image without axes, below its title."""
    ax.imshow(image, **options)
    ax.set(title=title, xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def overlay(ax, feature_map, title="", cmap="magma"):
    """Draw a map (H, W) over the photograph, in proportion to its largest value."""
    show(ax, photograph().mean(axis=2), cmap="gray")
    height, width = photograph().shape[:2]
    shares = np.maximum(feature_map, 0) / feature_map.max()
    ax.imshow(shares, cmap=cmap, alpha=0.25 + 0.65 * shares, extent=(0, width, height, 0))
    ax.set_title(title)
