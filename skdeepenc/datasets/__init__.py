"""Pictures to work with: folders of one's own and drawn scenes."""

from skdeepenc.datasets.folders import find_pictures, load_image_folder
from skdeepenc.datasets.scenes import make_scenes

__all__ = ["find_pictures", "load_image_folder", "make_scenes"]
