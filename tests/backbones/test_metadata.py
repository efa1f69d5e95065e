"""A description is written into a file at once, and leaves all else as it was."""

import onnx
import pytest

from skdeepenc.backbones import Backbone, ModelSpec, read_spec
from skdeepenc.backbones.describing.metadata import describe_file
from skdeepenc.exceptions import ModelError

SPEC = ModelSpec("mine", ("relu2",), 16)


@pytest.fixture
def model(tiny_network, tmp_path):
    """Save a network whose weights lie beside it."""
    path = tmp_path / "model.onnx"
    copy = onnx.ModelProto.FromString(tiny_network.SerializeToString())
    onnx.save_model(copy, path, save_as_external_data=True, location="weights", size_threshold=0)
    path.chmod(0o640)
    return path


def test_a_description_is_kept_and_weights_stay_beside(model, pixels):
    weights = model.with_name("weights").read_bytes()
    expected = Backbone(model, spec=SPEC).run(pixels(1, 16, 16))
    before, after = describe_file(model, SPEC)
    assert before != after
    assert read_spec(onnx.load(model, load_external_data=False)) == SPEC
    assert model.with_name("weights").read_bytes() == weights
    assert model.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in model.parent.iterdir()) == ["model.onnx", "weights"]
    assert (Backbone(model).run(pixels(1, 16, 16))["relu2"] == expected["relu2"]).all()


def test_saying_it_again_changes_nothing(model):
    _, once = describe_file(model, SPEC)
    assert describe_file(model, SPEC) == (once, once)


def test_a_link_becomes_a_file_and_its_target_is_left_alone(tiny_network, tmp_path):
    (tmp_path / "blob").write_bytes(tiny_network.SerializeToString())
    link = tmp_path / "model.onnx"
    link.symlink_to(tmp_path / "blob")
    describe_file(link, SPEC)
    assert not link.is_symlink()
    assert Backbone(link).spec == SPEC
    assert (tmp_path / "blob").read_bytes() == tiny_network.SerializeToString()


def test_what_is_no_model_or_cannot_be_written_is_left_as_it_is(model, tmp_path, monkeypatch):
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"bad\.onnx"):
        describe_file(bad, SPEC)
    content = model.read_bytes()

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(ModelError, match="No space left"):
        describe_file(model, SPEC)
    assert model.read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.onnx", "model.onnx", "weights"]
