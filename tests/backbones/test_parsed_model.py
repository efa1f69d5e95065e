"""Parsing is remembered by content: what a file holds now, never what it held once."""

import multiprocessing
import os
import pickle

import pytest
from onnx import helper

from skdeepenc.backbones import Backbone, ModelSpec, parsed_model
from skdeepenc.backbones.files.check import check_model
from skdeepenc.backbones.parsed_model import MAX_MODELS, parse_model
from skdeepenc.exceptions import ModelError

SPEC = ModelSpec("tiny", ("relu2",), 16)


@pytest.fixture
def read(monkeypatch):
    """Count what is read, in a process that has parsed nothing."""
    sources = []

    def counted(model, name):
        sources.append(name)
        check_model(model, name)

    monkeypatch.setattr(parsed_model, "check_model", counted)
    monkeypatch.setattr(parsed_model, "_MODELS", type(parsed_model._MODELS)())
    return sources


@pytest.fixture
def path(tiny_network, tmp_path):
    file = tmp_path / "tiny.onnx"
    file.write_bytes(tiny_network.SerializeToString())
    return file


def layer_names(source):
    return [layer.name for layer in Backbone(source, spec=SPEC).layer_info]


def test_a_model_is_parsed_once(path, read):
    assert layer_names(path) == layer_names(str(path)) == layer_names(path.read_bytes())
    assert len(read) == 1


def test_a_changed_file_is_parsed_again(path, read, tiny_network):
    before = layer_names(path)
    tiny_network = type(tiny_network).FromString(tiny_network.SerializeToString())
    tiny_network.graph.node[0].output[0] = "first"
    tiny_network.graph.node[1].input[0] = "first"
    path.write_bytes(tiny_network.SerializeToString())
    assert layer_names(path) == ["first", *before[1:]]
    assert len(read) == 2


def test_running_changes_nothing_that_is_remembered(path, pixels):
    skeleton = parse_model(path).skeleton
    before = skeleton.SerializeToString(deterministic=True)
    Backbone(path, spec=SPEC, layers=["relu2", "fc2"]).run(pixels(1, 20, 20))
    assert parse_model(path).skeleton is skeleton
    assert skeleton.SerializeToString(deterministic=True) == before


def test_pickles_carry_no_graph(path, read):
    backbone = Backbone(path, spec=SPEC)
    names = [layer.name for layer in backbone.layer_info]
    content = pickle.dumps(backbone)
    assert b"relu3" in content  # what was found out travels
    assert b"ModelProto" not in content
    assert [layer.name for layer in pickle.loads(content).layer_info] == names


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_goes_on_with_what_is_remembered(path):
    expected = layer_names(path)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(layer_names, (path,)).get(timeout=60) == expected


def test_only_some_models_are_remembered(make_model, read):
    for number in range(MAX_MODELS + 2):
        model = make_model([helper.make_node("Relu", ["pixels"], [f"relu{number}"])])
        content = model.SerializeToString()
        parse_model(content)
    assert len(parsed_model._MODELS) == MAX_MODELS


def test_failures_are_not_remembered(tmp_path, tiny_network):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"model\.onnx"):
        parse_model(path)
    path.write_bytes(tiny_network.SerializeToString())
    assert parse_model(path).spec is None
