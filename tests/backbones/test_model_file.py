"""What may not be run is refused before native code sees it."""

import numpy as np
import onnx
import pytest
from onnx import helper

from skdeepenc.backbones import Backbone, ModelSpec
from skdeepenc.backbones.parsed_model import parse_model
from skdeepenc.exceptions import ModelError

SPEC = ModelSpec("tiny", ("relu2", "fc2"), 16)


@pytest.fixture
def model(tiny_network):
    copy = onnx.ModelProto()
    copy.CopyFrom(tiny_network)
    return copy


@pytest.fixture
def beside(model, tmp_path):
    """Save the model with its weights in another file of the same folder."""
    path = tmp_path / "folder" / "tiny.onnx"
    path.parent.mkdir()
    separate = onnx.ModelProto()
    separate.CopyFrom(model)
    onnx.save(separate, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path


@pytest.mark.parametrize("content", [b"", b"no model", b"\x00" * 100])
def test_what_is_no_model(content):
    with pytest.raises(ModelError, match="is not an ONNX model"):
        parse_model(content)


def test_a_missing_file(tmp_path):
    with pytest.raises(ModelError, match=r"none\.onnx cannot be read: No such file"):
        parse_model(tmp_path / "none.onnx")


def test_operators_of_other_libraries(model):
    model.graph.node[0].domain = "com.example"
    model.opset_import.add(domain="com.example", version=1)
    with pytest.raises(ModelError, match=r"'Conv' of domain 'com\.example'"):
        parse_model(model.SerializeToString())


def test_compiled_binaries(model):
    model.graph.node[0].op_type, model.graph.node[0].domain = "EPContext", "com.microsoft"
    with pytest.raises(ModelError, match="EPContext"):
        parse_model(model.SerializeToString())


def test_operators_hidden_in_a_branch(model):
    inner = helper.make_node("Run", ["pixels"], ["inner"], domain="com.example")
    graph = helper.make_graph([inner], "branch", [], [])
    model.graph.node.append(
        helper.make_node("If", ["fc2"], ["out"], then_branch=graph, else_branch=graph)
    )
    with pytest.raises(ModelError, match="'Run'"):
        parse_model(model.SerializeToString())


@pytest.mark.parametrize("value", [2**62, -(2**62), 2**32])
def test_sizes_that_overflow(value, make_model):
    """The first of these divides by zero in native code, which ends the process."""
    node = helper.make_node("DepthToSpace", ["pixels"], ["out"], blocksize=value)
    with pytest.raises(ModelError, match=r"blocksize of DepthToSpace"):
        parse_model(make_model([node]).SerializeToString())


def test_outputs_without_sizes_are_taken(make_model):
    model = make_model([helper.make_node("Relu", ["pixels"], ["out"])])
    model.graph.output[0].type.tensor_type.ClearField("shape")
    assert parse_model(model.SerializeToString()).skeleton.graph.output[0].name == "out"


def test_old_operators(model):
    model.opset_import[0].version = 5
    with pytest.raises(ModelError, match=r"opset 5.*version_converter"):
        parse_model(model.SerializeToString())


def test_weights_beside_the_file(model, beside, pixels):
    images = pixels(2, 20, 20)
    expected = Backbone(model.SerializeToString(), spec=SPEC).run(images)
    for layer, maps in Backbone(beside, spec=SPEC).run(images).items():
        np.testing.assert_array_equal(maps, expected[layer])


def test_weights_without_their_folder(beside):
    with pytest.raises(ModelError, match="give its path"):
        parse_model(beside.read_bytes())


def test_inner_constants_from_elsewhere(model):
    constant = onnx.TensorProto(name="c", data_type=1, dims=[1])
    constant.data_location = onnx.TensorProto.EXTERNAL
    constant.external_data.add(key="location", value="secret.bin")
    model.graph.node.append(helper.make_node("Constant", [], ["constant"], value=constant))
    with pytest.raises(ModelError, match="inner constants in other files"):
        parse_model(model.SerializeToString())


def test_missing_weights(beside):
    (beside.parent / "weights.bin").unlink()
    with pytest.raises(ModelError, match=r"'weights\.bin', which is missing"):
        parse_model(beside)


@pytest.mark.parametrize("trick", ["dots", "link"])
def test_weights_from_elsewhere(trick, beside):
    weights = beside.parent / "weights.bin"
    outside = beside.parent.parent / "secret.bin"
    weights.rename(outside)
    if trick == "link":
        weights.symlink_to(outside)
    else:
        model = onnx.load(beside, load_external_data=False)
        for tensor in model.graph.initializer:
            tensor.external_data[0].value = "../secret.bin"
        beside.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="outside its own folder"):
        parse_model(beside)


def test_the_first_input_may_be_a_weight(light_graph, pixels):
    model = light_graph("squeezenet")
    assert model.graph.input[0].name != "data_0"
    spec = ModelSpec("squeezenet", ("r60",), 224)
    maps = Backbone(model.SerializeToString(), spec=spec).run(pixels(1, 64, 64))
    assert maps["r60"].shape == (1, 3, 3, 128)
