"""The demo measures what it says, on scenes and on a folder of images."""

import re
import sys

import numpy as np
import pytest
from PIL import Image

from skdeepenc import demo
from skdeepenc.datasets import make_scenes
from skdeepenc.demo import Result, format_table, run_demo
from skdeepenc.exceptions import DataSetError


@pytest.fixture
def few_scenes(monkeypatch):
    monkeypatch.setattr(demo, "N_SCENES", 20)
    monkeypatch.setattr(demo, "N_TIMED", 1)


@pytest.fixture
def folder(tmp_path):
    """Save three scenes of each of three classes in a folder of class subfolders."""
    scenes = make_scenes(9, image_size=64, n_classes=3, random_state=0)
    for index, (image, label) in enumerate(zip(scenes.images, scenes.target, strict=True)):
        subfolder = tmp_path / scenes.target_names[label]
        subfolder.mkdir(exist_ok=True)
        Image.fromarray(image).save(subfolder / f"{index}.png")
    return tmp_path


def test_a_run_on_scenes_prints_its_table_and_draws_its_image(few_scenes, tmp_path, capsys):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    results = run_demo(figure=tmp_path / "demo.png", verbose=0)
    assert [result.name for result in results] == list(demo.ROWS)
    assert all(0 <= result.accuracy <= 1 and 0 < result.mean_ap <= 1 for result in results)
    assert all(result.milliseconds > 0 for result in results)
    lengths = [result.length for result in results]
    assert lengths[0] == 512
    assert lengths[3] == sum(lengths[:3])
    out = capsys.readouterr().out
    assert "10 classes, 10 images to learn from, 10 to test." in out
    assert format_table(results) in out
    with Image.open(tmp_path / "demo.png") as drawn:
        assert min(drawn.size) > 200
    pyplot.close("all")


def test_a_folder_of_class_subfolders_is_measured_with_a_progress_bar(few_scenes, folder, capsys):
    results = run_demo(folder, verbose=1)
    assert len(results) == len(demo.ROWS)
    said = capsys.readouterr()
    assert "3 classes, 4 images to learn from, 5 to test." in said.out
    assert "encode" in said.err


def test_without_matplotlib_the_table_stands_alone(few_scenes, folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    run_demo(folder, figure=folder / "demo.png", verbose=0)
    assert "No figure: Drawing displays needs matplotlib" in capsys.readouterr().out
    assert not (folder / "demo.png").exists()


def test_tables_line_up():
    rows = [Result("a", 0.5, 0.25, 512, 1.26), Result("longer name", 1, 1, 10_000, 100)]
    assert format_table(rows).splitlines() == [
        "             accuracy %  mAP %  length  ms per image",
        "a                  50.0   25.0     512           1.3",
        "longer name       100.0  100.0   10000         100.0",
    ]


def test_halves_share_no_image_and_hold_every_class():
    target = np.repeat(np.arange(5), [2, 3, 4, 5, 40])
    train, test = demo._split(target, list("abcde"))
    assert sorted([*train, *test]) == list(range(len(target)))
    assert set(target[train]) == set(target[test]) == set(range(5))


def test_a_class_with_one_image_is_named(folder):
    (folder / "owl").mkdir()
    Image.new("RGB", (64, 64)).save(folder / "owl" / "1.png")
    with pytest.raises(DataSetError, match=re.escape("there are too few in 'owl'")):
        run_demo(folder, verbose=0)


def test_one_class_alone_is_refused(tmp_path):
    (tmp_path / "owl").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "owl" / "1.png")
    with pytest.raises(DataSetError, match="has only one class"):
        run_demo(tmp_path, verbose=0)
