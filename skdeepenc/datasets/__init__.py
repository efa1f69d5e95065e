"""Images to work with: folders of your own, drawn scenes, and the standard benchmarks."""

from skdeepenc.datasets.birds import load_cub200
from skdeepenc.datasets.buildings import load_oxford5k, load_paris6k
from skdeepenc.datasets.flowers import load_flowers17, load_flowers102
from skdeepenc.datasets.folders import find_images, load_image_folder
from skdeepenc.datasets.holidays import load_holidays
from skdeepenc.datasets.indoor67 import load_indoor67
from skdeepenc.datasets.revisited import convert_revisited
from skdeepenc.datasets.scenes import make_scenes
from skdeepenc.datasets.sculptures import load_sculptures6k
from skdeepenc.datasets.sun397 import load_sun397
from skdeepenc.datasets.ukb import load_ukb
from skdeepenc.datasets.voc2007 import load_voc2007

__all__ = [
    "convert_revisited",
    "find_images",
    "load_cub200",
    "load_flowers17",
    "load_flowers102",
    "load_holidays",
    "load_image_folder",
    "load_indoor67",
    "load_oxford5k",
    "load_paris6k",
    "load_sculptures6k",
    "load_sun397",
    "load_ukb",
    "load_voc2007",
    "make_scenes",
]
