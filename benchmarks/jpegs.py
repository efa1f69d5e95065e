"""JPEG files of a camera's size to extract from."""

from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.registry import UnavailableError, data_folder

_SIZE = 1024, 768


def make_jpegs(folder, count):
    """Write 1024 x 768 JPEG files: photographs where there are any, else smooth noise."""
    try:
        photographs = sorted(data_folder().glob("images/oxford5k_subset/jpg/*.jpg"))
    except UnavailableError:
        photographs = []
    files = []
    for number in range(count):
        if photographs:
            with Image.open(photographs[number % len(photographs)]) as photograph:
                image = photograph.convert("RGB").resize(_SIZE, Image.Resampling.BICUBIC)
        else:
            noise = np.random.default_rng(number).integers(0, 256, (96, 128, 3), dtype=np.uint8)
            image = Image.fromarray(noise).resize(_SIZE, Image.Resampling.BICUBIC)
        files.append(Path(folder) / f"{number:04}.jpg")
        image.save(files[-1], quality=90)
    return files
