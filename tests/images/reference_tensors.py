"""Tensors as timm and transformers make them, recorded, for those who have neither installed.

``python -m tests.images.reference_tensors`` records them again (timm 1.0.31, transformers 5.24,
torchvision 0.29 and Pillow 13 made those in the folder); the tests read them.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

RECORDED = Path(__file__).parent / "data" / "reference_tensors.npz"
CLIP = {
    "mean": (0.48145466, 0.4578275, 0.40821073),
    "std": (0.26862954, 0.26130258, 0.27577711),
}
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
HALF = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
TIMM_MODES = {"crop": "center", "warp": "squash", "pad": "border"}


class Case(NamedTuple):
    """One way to prepare one image."""

    library: str
    image: tuple  # height, width
    size: tuple
    fit: str
    crop_fraction: float
    interpolation: str
    numbers: dict


CASES = {
    "timm crop": Case("timm", (45, 60), (16, 16), "crop", 0.875, "bicubic", IMAGENET),
    "timm crop of an upright image": Case("timm", (61, 37), (16, 16), "crop", 0.9, "bicubic", CLIP),
    "timm crop without margin": Case("timm", (40, 75), (16, 16), "crop", 1.0, "bilinear", HALF),
    "timm crop of a tiny image": Case("timm", (9, 7), (16, 16), "crop", 0.95, "lanczos", HALF),
    "timm oblong crop": Case("timm", (50, 61), (24, 12), "crop", 0.9, "bicubic", IMAGENET),
    "timm squash": Case("timm", (45, 60), (16, 16), "warp", 0.9, "bicubic", IMAGENET),
    "timm oblong squash": Case("timm", (45, 60), (12, 20), "warp", 1.0, "bilinear", IMAGENET),
    "timm border": Case("timm", (45, 60), (16, 16), "pad", 1.0, "bicubic", CLIP),
    "timm border with margin": Case("timm", (61, 30), (16, 16), "pad", 0.8, "bilinear", IMAGENET),
    "CLIP": Case("transformers", (45, 60), (16, 16), "crop", 1.0, "bicubic", CLIP),
    "DINOv2": Case("transformers", (60, 47), (14, 14), "crop", 14 / 17, "bicubic", IMAGENET),
    "ViT": Case("transformers", (45, 60), (16, 16), "warp", 1.0, "bilinear", HALF),
    "SigLIP": Case("transformers", (30, 60), (16, 12), "warp", 1.0, "bicubic", HALF),
}


def pattern(height, width):
    """An image with detail at every scale, the same on every machine."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [x * x * 3 + y * 5, x * 4 + y * y * 2, x * y + 40]
    return Image.fromarray((np.stack(planes, axis=-1) % 256).astype(np.uint8))


def _by_timm(case):
    from timm.data import create_transform

    transform = create_transform(
        input_size=(3, *case.size),
        interpolation=case.interpolation,
        crop_pct=case.crop_fraction,
        crop_mode=TIMM_MODES[case.fit],
        **case.numbers,
    )
    return transform(pattern(*case.image)).numpy()


def _by_transformers(case):
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    height, width = case.size
    size = {"height": height, "width": width}
    if case.fit == "crop":
        size = {"shortest_edge": round(height / case.crop_fraction)}
    processor = CLIPImageProcessorPil(
        size=size,
        crop_size={"height": height, "width": width},
        do_center_crop=case.fit == "crop",
        resample=Image.Resampling[case.interpolation.upper()],
        image_mean=case.numbers["mean"],
        image_std=case.numbers["std"],
    )
    return np.asarray(processor(pattern(*case.image))["pixel_values"][0])


def record():
    """Write what the libraries make of every case."""
    makers = {"timm": _by_timm, "transformers": _by_transformers}
    tensors = {name: makers[case.library](case) for name, case in CASES.items()}
    RECORDED.parent.mkdir(exist_ok=True)
    np.savez_compressed(RECORDED, **tensors)


if __name__ == "__main__":
    record()
