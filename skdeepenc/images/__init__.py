"""From files and arrays to the pixels a backbone takes."""

from skdeepenc.images.decode import decode_image
from skdeepenc.images.plans import Network
from skdeepenc.images.preprocessing import Preprocessing
from skdeepenc.images.views import Pyramid, Whole
from skdeepenc.images.windows import Crops, Windows

__all__ = ["Crops", "Network", "Preprocessing", "Pyramid", "Whole", "Windows", "decode_image"]
