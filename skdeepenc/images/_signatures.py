"""What a file is that Pillow does not recognise, told from its first bytes.

"Not an image" is no help to somebody whose telephone writes HEIC, or whose download saved a page
that says "please log in".
"""

import importlib
from functools import lru_cache

_PLUGINS = ("pillow_heif", "pillow_avif", "pillow_jxl")
_HEIC = ("heic", "heix", "hevc", "hevx", "heim", "heis", "mif1", "msf1")
_PLUGIN_FOR = "this is {}, which Pillow reads once its plug-in is installed: `pip install {}`"
_UNKNOWN = "this is not an image of a known format"
_OTHER_THINGS = (
    (b"version https://git-lfs", "a pointer of Git LFS: run `git lfs pull`"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a drawing in PostScript"),
    (b"\xc5\xd0\xd3\xc6", "a drawing in PostScript"),
    (b"\xd7\xcd\xc6\x9a", "a drawing of Windows"),
    (b"v/1\x01", "an OpenEXR: give it as an array"),
    (b"#?RADIANCE", "a Radiance HDR: give it as an array"),
    (b"\x93NUMPY", "an array of numpy: give numpy.load(path)"),
    (b"\x89HDF", "an HDF5: give its arrays"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a file compressed by gzip"),
    (b"<!doctype html", "a web page: the download may have failed"),
    (b"<html", "a web page: the download may have failed"),
    (b"<svg", "a drawing in SVG"),
    (b"<?xml", "a file in XML, such as a drawing in SVG"),
)
_KNOWN_FORMATS = (
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"RIFF", "WebP"),
)


def describe_unreadable(content):
    """Return what the content of a file is that Pillow could not identify, and what helps."""
    head = content[:1024]
    if head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")):
        return _PLUGIN_FOR.format("a JPEG XL", "pillow-jxl-plugin")
    if head[4:8] == b"ftyp":
        return _describe_box(head[8:12].decode("latin-1"))
    for beginning, name in _KNOWN_FORMATS:
        if head.startswith(beginning):
            return f"the image is damaged or cut off, or a {name} that Pillow does not know"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    for beginning, thing in _OTHER_THINGS:
        if text.startswith(beginning) or text.lower().startswith(beginning):
            return f"{_UNKNOWN}, but {thing}"
    return _UNKNOWN


def _describe_box(brand):
    """Tell the formats that share the container of MPEG 4."""
    if brand in _HEIC:
        return _PLUGIN_FOR.format("a HEIC", "pillow-heif")
    if brand in ("avif", "avis"):
        return _PLUGIN_FOR.format("an AVIF", "pillow-avif-plugin")
    return f"{_UNKNOWN}, but a video"


@lru_cache(maxsize=1)
def register_plugins():
    """Let Pillow read HEIC, AVIF and JPEG XL where their plug-ins are installed."""
    for name in _PLUGINS:
        try:
            plugin = importlib.import_module(name)
        except ImportError:
            continue
        if hasattr(plugin, "register_heif_opener"):
            plugin.register_heif_opener()
