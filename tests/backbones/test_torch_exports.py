"""Exports of PyTorch's networks give what PyTorch computes.

Recorded ones are checked everywhere; those that both exporters make now, where PyTorch is
installed. `torch_zoo` makes either.
"""

from pathlib import Path

import numpy as np
import pytest
from torch_zoo.exporters import exported

from skdeepenc.backbones import Backbone
from skdeepenc.exceptions import ModelError

FOLDER = Path(__file__).parent / "exports"
RECORDED = sorted(path.stem for path in FOLDER.glob("*-*.onnx"))
NETWORKS = [
    *("vit_reg4", "dinov2", "dinov2_reg4", "siglip", "hf_dinov2", "hf_vit", "hf_clip"),
    *("convnext", "swin", "mobilenetv3", "efficientnet", "resnet50", "vgg_view"),
]
# Nothing says how they want their images, and it does not matter here.
pytestmark = pytest.mark.filterwarnings("ignore::skdeepenc.exceptions.ModelWarning")


@pytest.fixture(scope="module", params=RECORDED)
def recorded(request):
    """Return a file, and what is to come of it."""
    with np.load(FOLDER / f"{request.param}.npz") as expected:
        return FOLDER / f"{request.param}.onnx", dict(expected)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(
            (name, dynamo, free), id=f"{name}-{'dynamo' if dynamo else 'torchscript'}-{free}"
        )
        for name in NETWORKS
        for dynamo in (False, True)
        for free in ("nothing", "batch")
    ],
)
def fresh(request):
    """Return an export made now, and what PyTorch computes."""
    for package in ("torch", "timm", "torchvision", "transformers", "onnxscript"):
        pytest.importorskip(package)
    name, exporter, free = request.param
    model, expected = exported(name, dynamo=exporter == "dynamo", free=free)
    return model.SerializeToString(), expected


def assert_near(found, expected, tolerance):
    """Compare up to a share of the largest value."""
    assert found.shape == expected.shape
    share = float(np.abs(found - expected).max() / np.abs(expected).max())
    assert share <= tolerance


def check_default_layer(model, expected):
    [found] = Backbone(model).run(expected["images"]).values()
    assert_near(found, expected[f"own_{expected['default']}"], expected["tolerance"])


def check_layers(model, expected, batch, key):
    """Compare maps and class tokens, all of one run."""
    names = {str(layer): f"{key}_{i}" for i, layer in enumerate(expected["layers"])}
    tokens = {f"{layer}[cls]": f"{key}_cls_{i}" for i, layer in enumerate(expected["layers"])}
    wanted = names | {layer: name for layer, name in tokens.items() if name in expected}
    found = Backbone(model, layers=list(wanted)).run(expected[batch])
    for layer, name in wanted.items():
        right = expected[name]
        right = right[:, None, None] if layer.endswith("[cls]") else right
        assert_near(found[layer], right, expected["tolerance"])


def test_the_default_layer_is_what_the_head_reads(recorded):
    check_default_layer(*recorded)


def test_layers_of_a_batch(recorded):
    check_layers(*recorded, "images", "own")


def check_larger_images(model, expected):
    """Compare at another size, or see a graph whose windows are frozen refuse it."""
    if "layers.0" in expected["parts"]:
        with pytest.raises(ModelError, match="images of its own size"):
            check_layers(model, expected, "larger", "larger")
    else:
        check_layers(model, expected, "larger", "larger")


def test_layers_of_larger_images(recorded):
    if "larger_0" not in recorded[1]:
        pytest.skip("what quantisation does at other sizes is not recorded")
    check_larger_images(*recorded)


def test_features_do_not_depend_on_neighbours(recorded):
    model, expected = recorded
    backbone = Backbone(model, layers=str(expected["layers"][-1]))
    together = backbone.run(expected["images"])
    for i in range(3):
        alone = backbone.run(expected["images"][i : i + 1])
        for layer in together:
            assert_near(together[layer][i : i + 1], alone[layer], 1e-4)


@pytest.mark.torch
def test_fresh_exports_give_what_their_heads_read(fresh):
    check_default_layer(*fresh)


@pytest.mark.torch
def test_fresh_exports_of_a_batch(fresh):
    check_layers(*fresh, "images", "own")


@pytest.mark.torch
def test_fresh_exports_of_larger_images(fresh):
    check_larger_images(*fresh)
