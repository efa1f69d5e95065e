"""From files and arrays to the pixels a backbone takes."""

from skdeepenc.images.preprocessing import Preprocessing

__all__ = ["Preprocessing"]
