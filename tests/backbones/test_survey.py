"""What a graph tells of its network, on real graphs without weights and on small exports."""

from pathlib import Path

import onnx.backend.test
import pytest

from skdeepenc.backbones.survey import survey

LIGHT = Path(onnx.backend.test.__file__).parent / "data" / "light"
EXPORTS = Path(__file__).parent / "exports"
pytestmark = pytest.mark.filterwarnings("ignore::skdeepenc.exceptions.ModelWarning")


@pytest.mark.parametrize(
    ("model", "deepest", "before"),
    [
        ("light_bvlc_alexnet", "r13", "r11"),  # conv5, not the pool5 that the head reads; conv4
        ("light_squeezenet", "r60", "r53"),  # the ends of fire9 and fire8, not what is in them
        ("light_zfnet512", "r13", "r11"),
    ],
)
def test_the_deepest_map_is_that_before_pooling_and_has_one_before_it(model, deepest, before):
    found = survey(LIGHT / f"{model}.onnx")
    assert (found.map, found.before) == (deepest, before)
    assert found.kind == "convolutional"
    assert found.takes_larger


def test_a_map_alone_on_its_grid_has_itself_before_it():
    found = survey(EXPORTS / "vgg_view-torchscript-nothing.onnx")
    assert found.before == found.map == "/features/features.4/Relu_output_0"


def test_fully_connected_layers_are_behind_the_maps():
    found = survey("embedded")
    assert (found.kind, found.layer) == ("fully connected", "fc7")
    assert (found.before, found.map, found.n_channels) == ("conv4", "conv5", 224)


@pytest.mark.parametrize(("model", "has_token"), [("registers", True), ("no_class", False)])
def test_transformers_have_tokens_and_no_maps(model, has_token):
    found = survey(EXPORTS / f"{model}.onnx")
    assert found.kind == "transformer"
    assert (found.class_token is not None) == has_token
    assert found.map is None


def test_some_networks_take_one_size():
    assert not survey(EXPORTS / "swin-torchscript-nothing.onnx").takes_larger
