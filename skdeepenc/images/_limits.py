"""How much memory one image may take while it is decoded.

A file of a megabyte can hold 178 million pixels, just within Pillow's own limit, which counts
pixels whatever they weigh: decoders' buffers and conversions make up to 5 GB of them. We count
bytes.
"""

from skdeepenc.exceptions import ImageError

#: Bytes that decoding one image may take, without the file itself.
LARGEST_IMAGE = 1 << 30
# What Pillow keeps of a pixel, and what is made of it on the way to RGB, which takes four bytes.
_BYTES = {"1": 1, "L": 1, "P": 1, "LA": 8, "PA": 8, "I": 20, "F": 20, "RGB": 0}
# What decoders keep beside it: planes, coefficients, frames.
_DECODER_BYTES = {"JPEG": 3, "MPO": 3, "JPEG2000": 12, "WEBP": 8, "AVIF": 8, "HEIF": 8}
_RGB_BYTES = 4
_COEFFICIENT_BYTES = 6  # progressive JPEG waits for the last scan


def check_size(image, factor=1):
    """Refuse an opened image that would take too much memory.

    Parameters
    ----------
    image : PIL.Image.Image
        The image, its pixels not read yet.
    factor : {1, 2, 4, 8}, default=1
        How many times smaller both edges become while it is decoded.

    Raises
    ------
    ImageError
        If it is too large; the message says how large it may be.
    """
    width, height = image.size
    held = _RGB_BYTES + (8 if image.mode.startswith("I;16") else _BYTES.get(image.mode, 4))
    held += _DECODER_BYTES.get(image.format, 0)
    per_pixel = held / factor**2
    if image.info.get("progressive") or image.info.get("progression"):
        per_pixel += _COEFFICIENT_BYTES
    needed = int(width * height * per_pixel)
    if needed > LARGEST_IMAGE:
        raise ImageError(
            f"{width} x {height} pixels ({image.mode}) take {needed / 2**30:.1f} GiB to decode, "
            f"more than the {LARGEST_IMAGE / 2**30:g} GiB that one image may take; shrink the "
            "image first"
        )
