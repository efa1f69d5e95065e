"""Photograph a drawn scene: from nearer or farther, a little aside, in another light."""

import numpy as np
from PIL import Image

# The shorter edge of a photograph, in pixels.
EDGE = 160


def photograph(scene, box, random):
    """Cut a part out of a scene that shows the middle of its object, and light it anew.

    Parameters
    ----------
    scene : ndarray of shape (side, side, 3)
        The scene.
    box : array-like of shape (4,)
        Left, top, right and bottom of its object, in pixels.
    random : RandomState
        Where the camera stands.

    Returns
    -------
    photograph : ndarray of shape (height, width, 3), uint8
        The image, upright or lying.
    box : ndarray of shape (4,)
        Where the object is in it, as far as it is to be seen.
    """
    side = len(scene)
    width, height = side * random.uniform(0.55, 0.95) * random.permutation([1.0, 0.75])
    left, top = (
        random.uniform(*_starts(side, length, middle))
        for length, middle in zip((width, height), np.add(box[:2], box[2:]) / 2, strict=True)
    )
    scale = EDGE / min(width, height)
    size = (round(width * scale), round(height * scale))
    cut = Image.fromarray(scene).resize(
        size, Image.Resampling.BICUBIC, box=(left, top, left + width, top + height)
    )
    light = random.uniform(0.75, 1.25, size=3)
    seen = np.clip((np.asarray(box) - np.tile([left, top], 2)) * scale, 0, np.tile(size, 2))
    return np.clip(np.asarray(cut) * light, 0, 255).astype(np.uint8), seen


def _starts(side, length, middle):
    """Return the first and the last place where a window begins that shows a point."""
    return np.clip([middle - 0.8 * length, middle - 0.2 * length], 0, side - length)
