"""One small file of every kind of image, drawn here."""

import io

import numpy as np
from PIL import Image, features

EDGE = 24


def _written(image, format_name, **options):
    stream = io.BytesIO()
    image.save(stream, format_name, **options)
    return stream.getvalue()


def image_files():
    """Return the content of a file of every kind that this Pillow writes, by kind."""
    noise = np.random.default_rng(0).integers(0, 256, (EDGE, EDGE, 4), dtype=np.uint8)
    colours = Image.fromarray(noise[..., :3])
    deep = Image.fromarray(noise.astype(np.uint16)[..., 0] * 257)
    palette = colours.quantize(16)
    frames = [Image.fromarray(noise[..., channel]) for channel in range(3)]
    files = {
        "png": _written(Image.fromarray(noise), "PNG"),
        "png palette": _written(palette, "PNG", transparency=3),
        "png 16 bit": _written(deep, "PNG"),
        "jpeg baseline": _written(colours, "JPEG"),
        "jpeg progressive": _written(colours, "JPEG", progressive=True),
        "jpeg cmyk": _written(colours.convert("CMYK"), "JPEG"),
        "gif animated": _written(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "tiff 8 bit": _written(colours, "TIFF", compression="tiff_lzw"),
        "tiff 16 bit": _written(deep, "TIFF"),
        "bmp": _written(colours, "BMP"),
        "ppm": _written(colours, "PPM"),
    }
    if features.check("webp"):
        files["webp"] = _written(colours, "WEBP")
    if features.check("avif"):
        files["avif"] = _written(colours, "AVIF")
    return files
