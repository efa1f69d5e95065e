"""One picture of what the pipeline gains: two numbers, and images that only the pipeline knows.

Each image is shown twice: as it is, under the wrong answer of the global feature, and lit where the
pipeline found what it decided by, under the right one. Readable at 400 pixels of width.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from skdeepenc._optional import require
from skdeepenc._typing import Floats

__all__ = ["Rescued", "draw"]

# Told apart by readers who do not tell red from green.
_WRONG, _RIGHT = "#D55E00", "#0072B2"
_BLACK, _GREY = "#111111", "#5f6770"
_INCHES, _DOTS = (8, 4.5), 150
_LEFT, _END, _GAP, _N_COLUMNS = 0.415, 0.985, 0.014, 3
_BOTTOMS = (0.612, 0.2)
_MARGIN = 0.035
_SIDE = 320
_DARKEST, _DARKENED = 25, 0.35


@dataclass(frozen=True)
class Rescued:
    """A test image that the global feature gets wrong and the pipeline right.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), uint8
        The image.
    wrong, right : str
        Both answers.
    shares : list of ndarray of shape (H, W)
        What each position adds to the score of the right class, at each scale.
    """

    image: Any
    wrong: str
    right: str
    shares: list[Floats]


def draw(path, comparison, rescued):
    """Draw what was measured.

    Parameters
    ----------
    path : path-like
        The file to write.
    comparison : Comparison
        What was measured.
    rescued : list of Rescued
        Images to show, at most three of them.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    """
    require("matplotlib", extra="plot", purpose="Drawing displays")
    from matplotlib.figure import Figure  # without pyplot, whose figures a program would keep

    figure = Figure(figsize=_INCHES, facecolor="white")
    _write_numbers(figure, comparison)
    width = (_END - _LEFT - _GAP * (_N_COLUMNS - 1)) / _N_COLUMNS
    for column, shown in enumerate(rescued[:_N_COLUMNS]):
        left = _LEFT + column * (width + _GAP)
        image = _scaled(shown.image)
        answers = (
            (image, f"{shown.wrong} ✗", _WRONG),
            (_lit(image, shown.shares), f"{shown.right} ✓", _RIGHT),
        )
        for bottom, (drawn, answer, color) in zip(_BOTTOMS, answers, strict=True):
            axes = figure.add_axes((left, bottom, width, width * _INCHES[0] / _INCHES[1]))
            axes.imshow(_middle(drawn))
            axes.axis("off")
            _write_below(axes, answer, color)
    if rescued:
        caption = "lit: what the pipeline decided by"
        figure.text(_END, 0.065, caption, fontsize=10.5, color=_GREY, ha="right", va="center")
    figure.savefig(path, dpi=_DOTS)


def _write_numbers(figure, comparison):
    """Write both accuracies, what the pipeline gains, and how to have the same."""
    plain, pipeline = (f"{100 * result.accuracy:.0f} %" for result in comparison.results)
    gain = comparison.gain
    ends = f"{gain.mean:+.0f} points ({gain.low:+.0f} to {gain.high:+.0f})"
    lines = (
        (0.86, plain, 44, _WRONG, "bold"),
        (0.745, "the network's global feature", 12.5, _WRONG, "normal"),
        (0.56, pipeline, 44, _RIGHT, "bold"),
        (0.445, "skdeepenc.image_pipeline()", 12.5, _RIGHT, "normal"),
        (0.305, ends, 15, _BLACK, "bold"),
        (0.235, f"accuracy on {comparison.n_test} test images,", 10.5, _GREY, "normal"),
        (0.185, "with its 95 % interval; same network", 10.5, _GREY, "normal"),
    )
    for height, words, size, color, weight in lines:
        looks = {"fontsize": size, "color": color, "fontweight": weight}
        figure.text(_MARGIN, height, words, va="center", **looks)
    looks = {"fontsize": 13, "color": _BLACK, "family": "monospace", "parse_math": False}
    figure.text(_MARGIN, 0.065, "$ skdeepenc demo", va="center", **looks)


def _write_below(axes, words, color):
    """Write an answer below its image, a long one in smaller letters."""
    size = min(13.0, 13.0 * 14 / len(words))
    axes.text(
        0.5,
        -0.035,
        words,
        transform=axes.transAxes,
        ha="center",
        va="top",
        fontsize=size,
        color=color,
        fontweight="bold",
    )


def _scaled(image):
    """Return an image whose shorter edge is that of a square to be drawn."""
    height, width = image.shape[:2]
    scale = _SIDE / min(height, width)
    return np.asarray(Image.fromarray(image).resize((round(scale * width), round(scale * height))))


def _middle(image):
    """Cut the square out of an image's middle: none is drawn out of proportion."""
    top, left = ((length - _SIDE) // 2 for length in image.shape[:2])
    return image[top : top + _SIDE, left : left + _SIDE]


def _lit(image, shares):
    """Darken an image and take its colours, but for where the shares are large."""
    light = sum(
        np.asarray(
            Image.fromarray(np.asarray(part, dtype=np.float32)).resize(
                image.shape[1::-1], Image.Resampling.BILINEAR
            )
        )
        for part in shares
    )
    light = np.clip(light, 0, None)[..., None]
    light = (light / max(light.max(), np.finfo(np.float32).tiny)) ** 0.6
    dark = _DARKENED * image.mean(axis=-1, keepdims=True) + _DARKEST
    return (light * image + (1 - light) * dark).astype(np.uint8)
