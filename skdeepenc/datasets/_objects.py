"""The ten objects that scenes show, as polygons in a square from -1 to 1, y downwards.

A part is the corners of a polygon and the shade that fills it: 0, 1 or 2 of the object's three
colours. As in nature, an object has usual colours, and single ones depart from them.
"""

import numpy as np


def ellipse(center, radii, turn=0.0, n_corners=40):
    """Corners of an ellipse, turned by an angle in radians."""
    angle = np.linspace(0, 2 * np.pi, n_corners, endpoint=False)
    x, y = radii[0] * np.cos(angle), radii[1] * np.sin(angle)
    cosine, sine = np.cos(turn), np.sin(turn)
    return np.stack([center[0] + cosine * x - sine * y, center[1] + sine * x + cosine * y], axis=1)


def box(left, top, right, bottom):
    """Corners of an upright rectangle."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=float)


def polygon(*corners):
    """Corners as an array."""
    return np.array(corners, dtype=float)


def mirrored(part, shade):
    """Give a part and its mirror image."""
    return [(part, shade), (part * [-1, 1], shade)]


def butterfly():
    """Two pairs of spotted wings on a thin body."""
    return [
        *mirrored(ellipse((0.5, -0.4), (0.52, 0.38), -0.6), 0),
        *mirrored(ellipse((0.4, 0.4), (0.4, 0.3), 0.7), 1),
        *mirrored(ellipse((0.6, -0.45), (0.18, 0.14), -0.6), 2),
        (ellipse((0, 0), (0.09, 0.7)), 2),
    ]


def car():
    """A cabin on a long body on two wheels."""
    return [
        (polygon((-0.55, -0.1), (-0.35, -0.5), (0.3, -0.5), (0.6, -0.1)), 1),
        (box(-1, -0.12, 1, 0.35), 0),
        (box(-0.28, -0.42, 0.22, -0.14), 2),
        *mirrored(ellipse((0.55, 0.38), (0.26, 0.26)), 2),
        *mirrored(ellipse((0.55, 0.38), (0.11, 0.11)), 1),
    ]


def cup():
    """A conic cup with a round handle, on a saucer."""
    return [
        (ellipse((0.6, -0.1), (0.38, 0.36)), 1),
        (ellipse((0.6, -0.1), (0.2, 0.2)), 2),
        (polygon((-0.75, -0.65), (0.6, -0.65), (0.35, 0.65), (-0.5, 0.65)), 0),
        (ellipse((-0.08, -0.65), (0.68, 0.14)), 2),
        (ellipse((-0.08, 0.72), (0.8, 0.14)), 1),
    ]


def fish():
    """An oval body with a forked tail, a fin and an eye."""
    return [
        (polygon((0.35, 0), (1, -0.5), (0.8, 0), (1, 0.5)), 1),
        (polygon((-0.3, -0.3), (0.1, -0.75), (0.35, -0.2)), 1),
        (ellipse((-0.2, 0), (0.75, 0.42)), 0),
        (ellipse((-0.6, -0.1), (0.1, 0.1)), 2),
        (polygon((-0.2, -0.05), (0.15, 0.05), (-0.15, 0.25)), 2),
    ]


def flower():
    """Six petals around a disc."""
    turns = np.arange(6) * np.pi / 3
    petals = [
        (ellipse((0.6 * np.cos(turn), 0.6 * np.sin(turn)), (0.38, 0.25), turn), index % 2)
        for index, turn in enumerate(turns)
    ]
    return [*petals, (ellipse((0, 0), (0.28, 0.28)), 2)]


def house():
    """A gable over a front with a door and two windows."""
    return [
        (box(0.35, -0.85, 0.6, -0.3), 2),
        (polygon((-1, -0.1), (0, -0.9), (1, -0.1)), 1),
        (box(-0.75, -0.1, 0.75, 0.85), 0),
        (box(-0.17, 0.3, 0.17, 0.85), 2),
        *mirrored(box(0.32, 0.1, 0.6, 0.4), 1),
    ]


def key():
    """A ring, a shaft and a bit with two teeth."""
    return [
        (ellipse((-0.6, 0), (0.4, 0.4)), 0),
        (ellipse((-0.6, 0), (0.2, 0.2)), 2),
        (box(-0.25, -0.1, 1, 0.1), 0),
        (box(0.5, 0.1, 0.65, 0.42), 1),
        (box(0.8, 0.1, 1, 0.5), 1),
    ]


def mushroom():
    """A spotted cap, cut flat, on a stem."""
    angle = np.linspace(np.pi, 2 * np.pi, 24)
    cap = np.stack([0.95 * np.cos(angle), 0.1 + 0.95 * np.sin(angle)], axis=1)
    return [
        (polygon((-0.25, 0), (0.25, 0), (0.35, 0.9), (-0.35, 0.9)), 1),
        (cap, 0),
        *mirrored(ellipse((0.5, -0.2), (0.15, 0.15)), 2),
        (ellipse((0, -0.5), (0.19, 0.17)), 2),
    ]


def sailboat():
    """Two sails on a mast over a hull."""
    return [
        (box(-0.04, -1, 0.04, 0.5), 2),
        (polygon((0.1, -0.95), (0.85, 0.35), (0.1, 0.35)), 1),
        (polygon((-0.1, -0.75), (-0.7, 0.35), (-0.1, 0.35)), 2),
        (polygon((-0.95, 0.45), (0.95, 0.45), (0.6, 0.9), (-0.6, 0.9)), 0),
    ]


def tree():
    """Three tiers of needles on a trunk."""
    return [
        (box(-0.14, 0.5, 0.14, 1), 2),
        (polygon((-0.8, 0.6), (0, -0.2), (0.8, 0.6)), 0),
        (polygon((-0.62, 0.15), (0, -0.6), (0.62, 0.15)), 1),
        (polygon((-0.42, -0.3), (0, -1), (0.42, -0.3)), 0),
    ]


OBJECTS = {
    draw.__name__: draw()
    for draw in (butterfly, car, cup, fish, flower, house, key, mushroom, sailboat, tree)
}

USUAL_COLORS = {
    "butterfly": ((235, 150, 30), (220, 110, 40), (40, 30, 30)),
    "car": ((200, 30, 40), (190, 200, 210), (40, 40, 50)),
    "cup": ((240, 235, 225), (170, 190, 220), (90, 60, 40)),
    "fish": ((90, 140, 200), (60, 90, 160), (230, 230, 240)),
    "flower": ((240, 130, 190), (200, 90, 200), (250, 210, 60)),
    "house": ((200, 170, 130), (160, 70, 50), (90, 70, 60)),
    "key": ((210, 180, 70), (180, 150, 60), (110, 90, 40)),
    "mushroom": ((200, 50, 40), (230, 220, 190), (250, 245, 235)),
    "sailboat": ((130, 80, 50), (240, 240, 240), (210, 215, 225)),
    "tree": ((40, 120, 60), (60, 150, 70), (110, 80, 50)),
}
