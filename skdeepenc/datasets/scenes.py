"""Drawn images of objects over clutter: a data set that needs no download.

An object stands at a random place, in a random size and turned a little, in front of odds and ends
that are drawn the same way. What a single descriptor of the whole image mixes up, pooled
descriptors of its parts can tell apart; that is what the package's methods are for.
"""

from numbers import Integral
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from sklearn.utils import Bunch, check_random_state

from skdeepenc._sklearn import Interval, validate_params
from skdeepenc._typing import RandomState
from skdeepenc.datasets._objects import OBJECTS, USUAL_COLORS, box, ellipse, polygon

# Pillow draws without blending; the image is drawn enlarged and reduced, so edges are smooth.
ENLARGEMENT = 3
N_CLUTTER = 14
NEAREST = Image.Resampling.NEAREST


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "image_size": [Interval(Integral, 16, None, closed="left")],
        "n_classes": [Interval(Integral, 1, len(OBJECTS), closed="both")],
        "random_state": ["random_state"],
        "return_X_y": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def make_scenes(
    n_samples: int = 100,
    *,
    image_size: int = 160,
    n_classes: int = 10,
    random_state: RandomState = None,
    return_X_y: bool = False,
) -> Any:
    """Draw objects at random place, scale and rotation over clutter.

    Classes follow each other in turn, so any run of `n_classes` images shows each of them once.
    With the same seed, more samples begin with the same images.

    Parameters
    ----------
    n_samples : int, default=100
        Number of images.
    image_size : int, default=160
        Side of the square images, in pixels.
    n_classes : int, default=10
        How many of the ten objects to show, in alphabetical order.
    random_state : int, RandomState instance or None, default=None
        Determines the images; pass an int to draw the same ones every time.
    return_X_y : bool, default=False
        Return only the images and their classes.

    Returns
    -------
    Bunch or tuple
        With `images` (list of uint8 arrays of shape (image_size, image_size, 3)), `target` (array
        of shape (n_samples,)), `target_names` (the classes' names) and `boxes` (array of shape
        (n_samples, 4): left, top, right and bottom of the object, in pixels, which may lie outside
        the image); with ``return_X_y=True`` the tuple ``(images, target)``.

    Examples
    --------
    >>> from skdeepenc.datasets import make_scenes
    >>> scenes = make_scenes(20, image_size=96, random_state=0)
    >>> scenes.images[0].shape
    (96, 96, 3)
    >>> [scenes.target_names[label] for label in scenes.target[:3]]
    ['butterfly', 'car', 'cup']
    """
    names = sorted(OBJECTS)[:n_classes]
    target = np.arange(n_samples) % n_classes
    seeds = check_random_state(random_state).randint(np.iinfo(np.int32).max, size=n_samples)
    scenes = [
        draw_scene(names[label], image_size, np.random.RandomState(seed))
        for label, seed in zip(target, seeds, strict=True)
    ]
    images = [image for image, _ in scenes]
    if return_X_y:
        return images, target
    boxes = np.array([bounds for _, bounds in scenes])
    return Bunch(images=images, target=target, target_names=names, boxes=boxes)


def draw_scene(name, image_size, random):
    """Draw one object between clutter behind it and a little before it."""
    side = image_size * ENLARGEMENT
    canvas = Image.fromarray(background(image_size, random)).resize((side, side), NEAREST)
    draw = ImageDraw.Draw(canvas)
    for _ in range(N_CLUTTER):
        draw_clutter(draw, side, random, (0.03, 0.15))
    corners = place(OBJECTS[name], side, random)
    colors = vary(np.array(USUAL_COLORS[name]), 45, random)
    for (_, shade), points in zip(OBJECTS[name], corners, strict=True):
        fill(draw, points, colors[shade])
    for _ in range(2):
        draw_clutter(draw, side, random, (0.02, 0.05))
    pixels = vary(np.asarray(canvas.reduce(ENLARGEMENT)), 12, random).astype(np.uint8)
    everything = np.concatenate(corners) / ENLARGEMENT
    return pixels, np.concatenate([everything.min(axis=0), everything.max(axis=0)])


def vary(colors, most, random):
    """Change each value by a random amount, within what a byte holds."""
    return np.clip(colors + random.randint(-most, most + 1, size=colors.shape), 0, 255)


def background(side, random):
    """Blend four dull random colours from corner to corner."""
    grey = random.randint(40, 216, size=(4, 1, 1, 1))
    top_left, top_right, bottom_left, bottom_right = vary(np.repeat(grey, 3, axis=3), 40, random)
    right = np.linspace(0, 1, side)[None, :, None]
    down = right.transpose(1, 0, 2)
    top = top_left * (1 - right) + top_right * right
    bottom = bottom_left * (1 - right) + bottom_right * right
    return np.rint(top * (1 - down) + bottom * down).astype(np.uint8)


def place(parts, side, random):
    """Scale, turn and shift an object's parts; its middle stays inside the image."""
    radius = random.uniform(0.13, 0.36) * side
    center = random.uniform(0.8 * radius, side - 0.8 * radius, size=2)
    turn = random.uniform(-0.6, 0.6)
    flip = random.choice([-1, 1])
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return [center + radius * (corners * [flip, 1]) @ rotation for corners, _ in parts]


def draw_clutter(draw, side, random, radii):
    """Draw one oval, stick or triangle of random size, place and colour."""
    shapes = (
        ellipse((0, 0), (1, random.uniform(0.3, 1))),
        box(-1, -0.15, 1, 0.15),
        polygon((-1, 0.8), (0.9, 0.5), (random.uniform(-1, 1), -1)),
    )
    shape = shapes[random.randint(len(shapes))]
    radius, turn = random.uniform(*radii) * side, random.uniform(0, 2 * np.pi)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    points = random.uniform(0, side, size=2) + radius * shape @ rotation
    fill(draw, points, random.randint(256, size=3))


def fill(draw, points, color):
    """Fill a polygon."""
    corners = [tuple(point) for point in np.rint(points).astype(int).tolist()]
    draw.polygon(corners, fill=tuple(int(value) for value in color))
