"""The record travels through JSON and through a file's metadata unchanged."""

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skdeepenc.backbones import ModelSpec, read_spec, write_spec
from skdeepenc.exceptions import ModelError
from skdeepenc.images import Preprocessing, Whole

texts = st.text(st.characters(codec="utf-8"), max_size=20)
specs = st.builds(
    ModelSpec,
    name=texts,
    layers=st.lists(texts, max_size=3),
    input_size=st.integers(1, 2000) | st.tuples(*[st.integers(1, 2000)] * 2),
    preprocessing=st.builds(
        Preprocessing,
        mean=st.tuples(*[st.floats(-300, 300)] * 3),
        std=st.tuples(*[st.floats(0.01, 300)] * 3),
        channel_order=st.sampled_from(["RGB", "BGR"]),
        scale=st.floats(0.001, 1),
    ),
    patch_size=st.none() | st.integers(1, 32),
    source=st.none() | texts,
    sha256=st.none() | texts,
    licence=st.none() | texts,
    floor_pooling=st.booleans(),
    fit=st.sampled_from(["warp", "crop", "pad"]),
    crop_fraction=st.floats(0.1, 1),
    rounding=st.sampled_from(["even", "down"]),
    decoding=st.sampled_from(["fast", "full"]),
)


@given(spec=specs)
def test_json_keeps_everything(spec):
    assert ModelSpec.from_json(spec.to_json()) == spec
    assert hash(ModelSpec.from_json(spec.to_json())) == hash(spec)


@given(spec=specs)
def test_metadata_keeps_everything_and_everyone_elses(spec):
    model = onnx.ModelProto()
    model.metadata_props.add(key="author", value="somebody")
    write_spec(model, ModelSpec("older", (), 1))
    write_spec(model, spec)
    assert read_spec(onnx.ModelProto.FromString(model.SerializeToString())) == spec
    assert [entry.key for entry in model.metadata_props] == ["author", "skdeepenc"]


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "no JSON", "{}", '{"name": "x"}'),
        '{"name": "x", "layers": [], "input_size": "large"}',
        '{"name": "x", "layers": [], "input_size": [224, 0]}',
        '{"name": "x", "layers": [], "input_size": [3, 224, 224]}',
        '{"name": "x", "layers": [1], "input_size": 224}',
        '{"name": "x", "layers": [], "input_size": 1000000}',
        '{"name": "x", "layers": [], "input_size": 224, "patch_size": 0}',
        '{"name": "x", "layers": [], "input_size": 224, "floor_pooling": 1}',
        '{"name": "x", "layers": [], "input_size": 224, "preprocessing": {"std": [0, 0, 0]}}',
        '{"name": "x", "layers": [], "input_size": 224, "preprocessing": 5}',
        '{"name": "x", "layers": [], "input_size": 224, "fit": "shrink"}',
        '{"name": "x", "layers": [], "input_size": 224, "licence": 1}',
        '{"name": 1, "layers": [], "input_size": 224}',
        '{"name": "x", "layers": [], "input_size": 224, "crop_fraction": 0}',
        '{"name": "x", "layers": [], "input_size": 224, "crop_fraction": "1"}',
    ],
)
def test_damaged_records_are_refused(text):
    with pytest.raises(ModelError):
        ModelSpec.from_json(text)


def test_equal_sides_are_one_number():
    assert ModelSpec("x", (), (224, 224)) == ModelSpec("x", (), 224)
    assert ModelSpec("x", (), [256, 128]).input_size == (256, 128)


def test_records_of_a_later_version_can_be_read():
    text = '{"name": "x", "layers": ["y"], "input_size": 8, "colour": "red"}'
    assert ModelSpec.from_json(text) == ModelSpec("x", ("y",), 8)


def test_records_of_an_earlier_version_warp_the_whole_image():
    spec = ModelSpec.from_json('{"name": "x", "layers": ["y"], "input_size": 8}')
    assert spec.view.get_params() == Whole().get_params()


@given(spec=specs)
def test_the_view_is_what_the_record_says(spec):
    parameters = spec.view.get_params()
    for name in ("fit", "crop_fraction", "rounding", "decoding"):
        assert parameters[name] == getattr(spec, name)
