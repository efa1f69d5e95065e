"""The command line answers, and says in one line what went wrong."""

import os
import runpy
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

import skdeepenc
from skdeepenc import FeatureMaps
from skdeepenc.backbones import Backbone, ModelSpec, list_models, read_spec
from skdeepenc.backbones.describing.catalogue import locate
from skdeepenc.cli import main
from skdeepenc.exceptions import ModelWarning

COMMANDS = (
    "demo",
    "reproduce",
    "layers",
    "describe",
    "extract",
    "models",
    "cache",
    "export",
    "verify",
    "convert",
    "fit",
    "encode",
    "index",
    "update",
    "search",
    "duplicates",
)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(256, size=(3, 40, 50, 3), dtype=np.uint8)
    for name, pixels in zip(("b.png", "a.png", "more/c.png"), noise, strict=True):
        Image.fromarray(pixels).save(folder / name)
    return folder


def fail(arguments, capsys):
    """Run a command that must fail; return its one line."""
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("skdeepenc: error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_layers_lists_names_channels_and_strides(capsys):
    assert main(["layers", "embedded"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["embedded,", "images", "of", "64", "pixels"]
    assert lines[1] == ["layer", "operator", "kind", "channels", "grid", "stride"]
    assert ["conv5", "Relu", "map", "224", "8x8", "8"] in lines


def test_models_lists_the_embedded_one_and_the_catalogue(capsys):
    assert main(["models"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names[:2] == ["model", "embedded"]
    assert names[2:] == list(list_models())


@pytest.fixture
def model(tmp_path):
    """Copy the embedded model to where it can be written to."""
    return Path(shutil.copy(locate("embedded"), tmp_path / "model.onnx"))


def test_describe_writes_what_a_preprocessor_says(model, tmp_path, capsys):
    preprocessor = tmp_path / "anything.json"
    preprocessor.write_text('{"size": {"height": 64, "width": 64}, "do_normalize": false}')
    words = ["describe", model, "--preprocessor", preprocessor, "--layers", "conv4", "fc7"]
    assert main([str(word) for word in words]) == 0
    out = capsys.readouterr().out
    assert "its digest was" in out
    spec = read_spec(onnx.load(model))
    assert (spec.name, spec.layers, spec.input_size) == ("model.onnx", ("conv4", "fc7"), 64)
    assert spec.preprocessing.std == (1, 1, 1)
    assert Backbone(model).layers == ("conv4", "fc7")
    assert main(["describe", str(model)]) == 0
    assert "said so already" in capsys.readouterr().out


def test_describe_refuses_what_nobody_knows(model, tmp_path, capsys):
    bare = onnx.load(model)
    del bare.metadata_props[:]
    onnx.save(bare, model)
    before = model.read_bytes()
    assert "--preprocessor FILE" in fail(["describe", model], capsys)
    (tmp_path / "good.json").write_text('{"size": 64}')
    words = ["describe", model, "--preprocessor", tmp_path / "good.json", "--layers", "conv44"]
    assert "conv4" in fail(words, capsys)
    (tmp_path / "damaged.json").write_text("{")
    message = fail(["describe", model, "--preprocessor", tmp_path / "damaged.json"], capsys)
    assert "damaged.json" in message
    assert "not a file" in fail(["describe", "hf://owner/name"], capsys)
    assert model.read_bytes() == before
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_extract_takes_a_description(photos, tmp_path):
    spec = ModelSpec("embedded", ("conv4",), 96)
    (tmp_path / "spec.json").write_text(spec.to_json())
    words = ["extract", "embedded", photos, tmp_path / "maps", "--spec", tmp_path / "spec.json"]
    assert main([str(word) for word in words]) == 0
    maps = FeatureMaps.load(tmp_path / "maps")
    assert maps.layers == ("conv4",)
    assert maps.grid("conv4")[0].tolist() == [[12, 12]]


def test_extract_saves_maps_and_the_order_of_images(photos, tmp_path, capsys):
    out = tmp_path / "maps"
    words = ["extract", "embedded", photos, out, "--layers", "conv5", "fc7", "--scales", "2"]
    assert main([str(word) for word in words]) == 0
    maps = FeatureMaps.load(out)
    assert (len(maps), maps.layers, maps.n_scales) == (3, ("conv5", "fc7"), 2)
    expected = [str(photos / name) for name in ("a.png", "b.png", "more/c.png")]
    assert (out / "images.txt").read_text(encoding="utf-8").splitlines() == expected
    assert str(out) in capsys.readouterr().out


def test_extract_takes_one_image_and_stores_halves(photos, tmp_path):
    out = tmp_path / "maps"
    assert main(["extract", "embedded", str(photos / "a.png"), str(out), "--dtype", "float16"]) == 0
    assert FeatureMaps.load(out).dtype == np.float16


@pytest.mark.parametrize("bound", [("--cache-limit", "1 kB"), ("--cache-age", "2")])
def test_extract_keeps_its_memory_within_bounds(photos, tmp_path, bound):
    def extract(name, *words):
        words = ["extract", "embedded", photos / name, tmp_path / Path(name).stem, *words]
        assert main([str(word) for word in [*words, "--memory", tmp_path / "cache"]]) == 0
        return set((tmp_path / "cache").glob("*/??/*.npz"))

    (first,) = extract("a.png")
    os.utime(first, (first.stat().st_mtime - 3 * 86_400,) * 2)
    (second,) = extract("b.png", *bound)
    assert second != first


def test_bounds_without_a_memory_are_an_error(photos, tmp_path, capsys):
    words = ["extract", "embedded", photos, tmp_path / "maps", "--cache-limit", "1 GB"]
    assert "--memory FOLDER" in fail(words, capsys)


def test_demo_passes_its_options_on(monkeypatch):
    calls = []
    monkeypatch.setattr(
        "skdeepenc.demo.run_demo", lambda *args, **kwargs: calls.append((args, kwargs))
    )
    assert main(["demo", "--images", "flowers", "--figure", "x.png", "--quiet"]) == 0
    assert main(["demo"]) == 0
    assert calls == [
        (("flowers",), {"figure": "x.png", "verbose": 0}),
        ((None,), {"figure": "skdeepenc-demo.png", "verbose": 1}),
    ]


def test_an_unknown_model_is_one_line(capsys):
    assert "nowhere.onnx" in fail(["layers", "nowhere.onnx"], capsys)


def test_a_file_that_is_no_model_is_one_line(photos, capsys):
    assert "a.png" in fail(["layers", photos / "a.png"], capsys)


def test_missing_images_are_one_line(tmp_path, capsys):
    assert "nowhere" in fail(["extract", "embedded", tmp_path / "nowhere", tmp_path], capsys)
    (tmp_path / "empty").mkdir()
    assert "holds no images" in fail(["extract", "embedded", tmp_path / "empty", tmp_path], capsys)


def test_broken_images_are_listed_in_one_line(photos, tmp_path, capsys):
    for name in ("d.png", "e.png"):
        (photos / name).write_bytes(b"not an image")
    message = fail(["extract", "embedded", photos, tmp_path / "maps"], capsys)
    assert "d.png" in message
    assert "e.png" in message
    assert not (tmp_path / "maps").exists()


def test_broken_images_can_be_skipped_and_are_listed(photos, tmp_path, capsys):
    (photos / "aa.png").write_bytes(b"not an image")
    out = tmp_path / "maps"
    words = ["extract", "embedded", photos, out, "--on-error", "skip"]
    assert main([str(word) for word in words]) == 0
    assert len(FeatureMaps.load(out)) == 3
    expected = [str(photos / name) for name in ("a.png", "b.png", "more/c.png")]
    assert (out / "images.txt").read_text(encoding="utf-8").splitlines() == expected
    (line,) = (out / "left_out.txt").read_text(encoding="utf-8").splitlines()
    assert line.split("\t")[0] == str(photos / "aa.png")
    captured = capsys.readouterr()
    assert "left out 1 image" in captured.out
    assert captured.err == ""


def test_nothing_but_broken_images_is_an_error(tmp_path, capsys):
    (tmp_path / "a.png").write_bytes(b"not an image")
    words = ["extract", "embedded", tmp_path, tmp_path / "maps", "--on-error", "skip"]
    assert "None of 1 image could be read" in fail(words, capsys)


def test_many_broken_images_make_a_short_line_of_advice(tmp_path, capsys):
    for number in range(200):
        (tmp_path / f"{number}.png").write_bytes(b"not an image")
    message = fail(["extract", "embedded", tmp_path, tmp_path / "maps"], capsys)
    assert "200 images of 200 could not be read (--on-error skip" in message
    assert "and 190 more" in message or "characters more" in message
    assert "on_error=" not in message
    assert len(message) < 1100


def test_an_unknown_layer_names_the_nearest(photos, tmp_path, capsys):
    words = ["extract", "embedded", photos, tmp_path / "maps", "--layers", "conv55"]
    assert "conv5" in fail(words, capsys)


@pytest.mark.parametrize("words", [[], ["dance"], ["layers"], ["demo", "--images"]])
def test_words_that_make_no_command_are_one_line(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "--help" in captured.err


def test_warnings_are_one_line(monkeypatch, capsys):
    def warn(*args, **kwargs):
        warnings.warn("supposed\nmuch", ModelWarning, stacklevel=1)

    monkeypatch.setattr("skdeepenc.demo.run_demo", warn)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert main(["demo"]) == 0
    assert capsys.readouterr().err == "skdeepenc: warning: supposed much\n"


def test_an_error_that_nobody_foresaw_is_one_line_with_its_type(monkeypatch, capsys):
    def fall(*args, **kwargs):
        raise RuntimeError("x" * 5000)

    monkeypatch.setattr("skdeepenc.demo.run_demo", fall)
    message = fail(["demo"], capsys)
    assert "RuntimeError: xxx" in message
    assert len(message) < 1100
    monkeypatch.setenv("SKDEEPENC_DEBUG", "1")
    assert main(["demo"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_json_file_is_no_model_in_one_line(tmp_path, capsys):
    (tmp_path / "model.json").write_text("{}")
    assert "model.json" in fail(["layers", tmp_path / "model.json"], capsys)


def test_a_reader_that_went_away_ends_the_command_quietly():
    command = [sys.executable, "-m", "skdeepenc", "layers", "embedded"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == 0


def test_an_interruption_is_no_traceback(monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("skdeepenc.demo.run_demo", interrupt)
    assert main(["demo"]) == 130


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert f"example: skdeepenc {command}" in capsys.readouterr().out


def test_help_of_the_whole_lists_the_commands(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    out = capsys.readouterr().out
    assert all(command in out for command in COMMANDS)
    assert "example: skdeepenc demo" in out


def test_the_version_is_the_packages(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"skdeepenc {skdeepenc.__version__}\n"


def test_the_package_runs_as_a_module(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["skdeepenc", "layers", "nowhere.onnx"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module("skdeepenc", run_name="__main__")
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
