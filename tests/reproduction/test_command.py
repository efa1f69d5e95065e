"""`skdeepenc reproduce` lists papers, measures one, and says in one line what is wrong."""

import json

import pytest
from PIL import Image

from skdeepenc.cli import main
from skdeepenc.datasets import make_scenes
from skdeepenc.reproduction import PAPERS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Save two scenes of each of two classes."""
    parent = tmp_path_factory.mktemp("scenes")
    scenes = make_scenes(4, image_size=64, n_classes=2, random_state=0)
    for index, (image, label) in enumerate(zip(scenes.images, scenes.target, strict=True)):
        subfolder = parent / scenes.target_names[label]
        subfolder.mkdir(exist_ok=True)
        Image.fromarray(image).save(subfolder / f"{index}.png")
    return parent


def test_without_a_name_the_papers_are_listed(capsys):
    assert main(["reproduce"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == list(PAPERS)


def test_a_paper_is_measured_and_written(folder, tmp_path, capsys):
    words = ["reproduce", "cross-layer", "--data", folder, "--quick", "--seeds", "1"]
    assert main([*map(str, words), "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    written = (tmp_path / "cross-layer.md").read_text(encoding="utf-8")
    assert written in printed
    read = json.loads((tmp_path / "cross-layer.json").read_text(encoding="utf-8"))
    assert (read["model"], read["data"], read["seeds"]) == ("embedded", folder.name, 1)
    assert any((tmp_path / "activations").iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["resnet"], "'resnet' is none of the papers: mop-cnn"),
        (["mop-cnn", "--seeds", "0"], "--seeds must be at least 1"),
        (["mop-cnn", "--data", "nowhere"], "The image folder nowhere does not exist"),
        (["cluster-mac", "--data", "nowhere"], "nowhere is none of the data sets"),
        (["mop-cnn", "--model", "nowhere.onnx"], "nowhere.onnx"),
    ],
)
def test_what_is_wrong_takes_one_line(words, message, tmp_path, capsys):
    assert main(["reproduce", *words, "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
