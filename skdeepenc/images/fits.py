"""How the whole image goes into an input of other proportions: warped, cropped or padded.

The sizes are those of the libraries that models come from. Where torchvision, timm and transformers
agree there is nothing to choose: a shorter edge of ``s`` makes the longer one ``int(s * long /
short)``, and ``size / crop_fraction`` is rounded down. Where they differ there is a parameter, or
we follow timm:

- The centre. Half a pixel goes to the even one in torchvision and timm, to the lower one in
  transformers: one pixel of difference for one side in four, which `rounding` decides.
- Oblong inputs. timm keeps the proportions so that the image covers the whole input; the others
  have no such rule.
- Padding. timm fills with the mean colour, which is zero to the network.
"""

import math

from skdeepenc.images.plans import Stack, check_extent


def fit_whole(height, width, sides, view):
    """Return the stack of one piece that shows the whole image, or its centre.

    Parameters
    ----------
    height, width : int
        Size of the image.
    sides : (int, int)
        Height and width of the piece.
    view : Whole
        Its fit, crop_fraction and rounding.
    """
    full = widened(sides, view.crop_fraction)
    if view.fit == "warp":
        canvas = full
    elif view.fit == "pad":
        canvas = _scaled(height, width, max(height / full[0], width / full[1]))
    else:
        canvas = check_extent(height, width, _covering(height, width, full), 'fit="crop"')
    half = round if view.rounding == "even" else math.floor
    top, left = (_centre(*pair, half) for pair in zip(canvas, sides, strict=True))
    bottom, right = top + sides[0], left + sides[1]
    return Stack(sides[0], sides[1], canvas, ((top, left, bottom, right),))


def widened(sides, crop_fraction):
    """Return the sides that images are resampled to, of which the fraction is kept."""
    # 25 / 17 of 17 is 24.999999999999996 in floating point.
    height, width = (math.floor(round(side / crop_fraction, 6)) for side in sides)
    return height, width


def _covering(height, width, full):
    """Return the smallest size of the image's proportions that covers the sides."""
    if full[0] != full[1]:
        return _scaled(height, width, min(height / full[0], width / full[1]))
    shorter = full[0]
    longer = int(shorter * max(height, width) / min(height, width))
    return (shorter, longer) if height <= width else (longer, shorter)


def _scaled(height, width, ratio):
    return max(round(height / ratio), 1), max(round(width / ratio), 1)


def _centre(extent, side, half):
    """Return where a centred piece begins; before the beginning where it is the larger one."""
    return half((extent - side) / 2) if extent >= side else -((side - extent) // 2)
