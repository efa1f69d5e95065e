"""A preprocessor's file beside a model, or one folder up, says how its images are made."""

import json

import pytest

from skdeepenc import ActivationExtractor
from skdeepenc.backbones import Backbone, ModelSpec, write_spec
from skdeepenc.backbones.describing.preprocessor_file import (
    FILE_NAME,
    find_preprocessor,
    read_description,
)
from skdeepenc.exceptions import ModelError, ModelWarning
from skdeepenc.images import Preprocessing

CONFIG = {"size": {"height": 20, "width": 20}, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}


@pytest.fixture
def model(tiny_network, tmp_path):
    """Put a model where exporters put it."""
    path = tmp_path / "repository" / "onnx" / "model.onnx"
    path.parent.mkdir(parents=True)
    path.write_bytes(tiny_network.SerializeToString())
    return path


@pytest.fixture(params=["onnx", "."])
def preprocessor(model, request):
    """Put a preprocessor's file beside the model, or one folder up."""
    path = model.parents[1] / request.param / FILE_NAME
    path.write_text(json.dumps(CONFIG))
    return path


def test_it_is_read_by_itself(model, preprocessor):
    spec = Backbone(model).spec
    assert (spec.name, spec.input_size) == ("model.onnx", 20)
    assert spec.preprocessing == Preprocessing((0.5,) * 3, (0.25,) * 3)


def test_the_nearer_one_holds(model):
    for folder, side in ((model.parent, 20), (model.parents[1], 24)):
        (folder / FILE_NAME).write_text(json.dumps({**CONFIG, "size": side}))
    assert Backbone(model).spec.input_size == 20


def test_a_linked_model_is_asked_where_it_lies_and_where_it_leads(model, preprocessor, tmp_path):
    link = tmp_path / "links" / "model.onnx"
    link.parent.mkdir()
    link.symlink_to(model)
    assert find_preprocessor(link) == preprocessor
    (link.parent / FILE_NAME).write_text("{}")
    assert find_preprocessor(link) == link.parent / FILE_NAME


def test_the_file_itself_and_the_user_know_better(model, preprocessor, tiny_network):
    mine = ModelSpec("mine", ("relu2",), 16)
    assert Backbone(model, spec=mine).spec == mine
    described = type(tiny_network).FromString(tiny_network.SerializeToString())
    write_spec(described, mine)
    model.write_bytes(described.SerializeToString())
    assert Backbone(model).spec == mine


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 10_000, b" " * 2**21])
def test_a_damaged_one_is_an_error_that_names_it(model, preprocessor, content):
    preprocessor.write_bytes(content)
    with pytest.raises(ModelError, match=FILE_NAME):
        Backbone(model).spec  # noqa: B018
    spec = ModelSpec("mine", (), 16)
    assert Backbone(model, spec=spec).spec == spec


def test_one_that_cannot_be_followed_is_left_with_a_warning(model, preprocessor):
    preprocessor.write_text(json.dumps({**CONFIG, "size": {"shortest_edge": 3, "longest_edge": 9}}))
    backbone = Backbone(model, preprocessing=Preprocessing(), layers="relu2")
    with pytest.warns(ModelWarning, match=r"preprocessor_config\.json is not followed.*longest"):
        assert backbone.spec.input_size == 16


def test_descriptions_come_in_three_forms(tmp_path):
    spec = ModelSpec("mine", ("relu2",), 16, fit="crop", crop_fraction=0.875, decoding="full")
    timm = {"input_size": [3, 16, 16], "crop_pct": 0.875, "interpolation": "bilinear"}
    forms = (spec.to_json(), json.dumps(timm), json.dumps({"pretrained_cfg": timm}))
    for form in forms:
        path = tmp_path / "anything.json"
        path.write_text(form)
        assert read_description(path).view.get_params() == spec.view.get_params()


def test_the_extractor_sees_images_as_the_description_says(model, preprocessor):
    """The centre of an oblong image, where its authors cropped."""
    config = {**CONFIG, "size": {"shortest_edge": 20}, "do_center_crop": True, "crop_size": 16}
    preprocessor.write_text(json.dumps(config))
    extractor = ActivationExtractor(model, layers="relu2").fit(["anything"])
    view = extractor.backbone_.spec.view
    assert view.get_params()["fit"] == "crop"
    assert view.get_params()["crop_fraction"] == pytest.approx(0.8)
