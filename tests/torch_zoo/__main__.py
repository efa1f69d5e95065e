"""Write the exports that the tests keep: ``PYTHONPATH=.:tests python -m torch_zoo``."""

import sys
from pathlib import Path

import numpy as np

from torch_zoo import kinds
from torch_zoo.exporters import exported

FOLDER = Path(__file__).parents[1] / "backbones" / "exports"
PLAIN = {
    "dinov2_reg4-torchscript-nothing": {},
    "siglip-torchscript-batch": {},
    "hf_dinov2-dynamo-batch": {},
    "hf_clip-torchscript-nothing": {},
    "convnext-torchscript-batch": {},
    "swin-torchscript-nothing": {},
    "efficientnet-dynamo-sides": {},
    "mobilenetv3-torchscript-batch": {},
    "vgg_view-torchscript-nothing": {},
    "resnet50-torchscript-batch-channels_last": {"channels_last": True},
}
CHANGED = {
    "dinov2-torchscript-batch-dynamic": (kinds.quantised_dynamically, 0.1, 1e-3),
    "vgg_view-torchscript-batch-dynamic": (kinds.quantised_dynamically, 0.1, 1e-3),
    "resnet50-torchscript-batch-pairs": (kinds.quantised_in_pairs, 0.1, 2e-2),
    "resnet50-torchscript-batch-operators": (kinds.quantised_in_operators, 0.1, 2e-2),
    "hf_clip-torchscript-batch-optimised": (kinds.optimised, 2e-4, 2e-4),
    "resnet50-torchscript-batch-optimised": (kinds.optimised, 2e-4, 2e-4),
    "dinov2-torchscript-batch-halved": (kinds.halved, 2e-2, 2e-2),
    "resnet50-torchscript-batch-halved": (kinds.halved, 2e-2, 2e-2),
}


def _how(title):
    name, exporter, free = title.split("-")[:3]
    return name, {"dynamo": exporter == "dynamo", "free": free}


def _write(title, model, expected):
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{title}.onnx").write_bytes(model.SerializeToString())
    np.savez_compressed(FOLDER / f"{title}.npz", **expected)
    print(title)


def main(wanted):
    """Write all exports, or those whose title starts with one of the words."""
    for title in (*PLAIN, *CHANGED):
        if wanted and not title.startswith(tuple(wanted)):
            continue
        name, how = _how(title)
        if title in PLAIN:
            _write(title, *exported(name, **how, **PLAIN[title]))
        else:
            change, approximation, tolerance = CHANGED[title]
            options = {"approximation": approximation, "tolerance": tolerance}
            _write(title, *kinds.changed(name, change, **options, **how))


if __name__ == "__main__":
    main(sys.argv[1:])
