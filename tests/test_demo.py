"""The demo measures what it says, on scenes and on a folder of images."""

import re
import sys

import numpy as np
import pytest
from PIL import Image
from sklearn.pipeline import make_union

from skdeepenc.datasets import make_scenes
from skdeepenc.demo import comparison, run_demo
from skdeepenc.demo.comparison import Comparison, Result, format_table
from skdeepenc.demo.figure import Rescued, draw
from skdeepenc.demo.rescue import split_scores
from skdeepenc.encoders import CrossLayerPooler, GlobalPooler
from skdeepenc.exceptions import DataSetError
from skdeepenc.reproduction.intervals import Difference

ROWS = [Result("a", 0.5, 0.01, 512, 1.26), Result("longer name", 1, 0, 10_000, 100)]


@pytest.fixture
def few_scenes(monkeypatch):
    monkeypatch.setattr(comparison, "N_SCENES", 20)
    monkeypatch.setattr(comparison, "N_SEEDS", 2)
    monkeypatch.setattr(comparison, "N_TIMED", 1)


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
    pytest.importorskip("matplotlib")
    found = run_demo(figure=tmp_path / "demo.png", verbose=0)
    plain, pipeline = found.results
    assert (plain.name, pipeline.name) == comparison.ROWS
    expected = 100 * (pipeline.accuracy - plain.accuracy)
    assert found.gain.mean == pytest.approx(expected, abs=1e-9)
    assert found.n_test == 20
    assert (plain.length, pipeline.milliseconds > 0) == (512, True)
    out = capsys.readouterr().out
    assert "10 classes, 2 seeds, each with 10 images to learn from and 10 to test." in out
    assert str(found) in out
    assert "What next:" in out
    with Image.open(tmp_path / "demo.png") as drawn:
        assert drawn.size == (1200, 675)


def test_a_folder_of_class_subfolders_is_measured_with_a_progress_bar(few_scenes, folder, capsys):
    found = run_demo(folder, verbose=1)
    assert found.n_test <= 9  # an image that both seeds test counts once
    said = capsys.readouterr()
    assert "3 classes, 2 seeds, each with 4 images to learn from and 5 to test." in said.out
    assert "classify" in said.err


def test_without_matplotlib_the_table_stands_alone(few_scenes, folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    run_demo(folder, figure=folder / "demo.png", verbose=0)
    assert "No figure: Drawing displays needs matplotlib" in capsys.readouterr().out
    assert not (folder / "demo.png").exists()


def test_tables_line_up():
    assert format_table(ROWS).splitlines() == [
        "              accuracy %  length  ms per image",
        "a             50.0 ± 1.0     512           1.3",
        "longer name  100.0 ± 0.0   10000         100.0",
    ]


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        (Difference(5, 1, 9), "The pipeline is better: +5.0 points, 95 % interval +1.0 to +9.0"),
        (Difference(1, -3, 5), "No difference is shown: +1.0 points"),
        (Difference(-5, -9, -1), "The global feature is better: -5.0 points"),
    ],
)
def test_what_is_not_shown_is_not_claimed(gain, said):
    assert said in str(Comparison(ROWS, gain, 30))


@pytest.mark.parametrize("n_shown", [0, 2])
def test_the_picture_shows_what_there_is(tmp_path, n_shown):
    pytest.importorskip("matplotlib")
    image = make_scenes(1, random_state=0).images[0][:, :100]
    shares = [np.eye(3), np.zeros((5, 5))]
    rescued = [Rescued(image, "a rather long name of a class", "b", shares)] * n_shown
    draw(tmp_path / "a.png", Comparison(ROWS, Difference(50, 40, 60), 30), rescued)
    with Image.open(tmp_path / "a.png") as drawn:
        pixels = np.asarray(drawn.convert("RGB"))
    assert bool((pixels[:, 600:] < 128).any()) == bool(n_shown)


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


def test_what_is_lit_adds_up_to_the_score():
    maps = np.random.default_rng(0).random((6, 4, 5, 8))
    union = make_union(GlobalPooler(), CrossLayerPooler(random_state=0)).fit(maps)
    union.set_params(transformer_weights={"globalpooler": 0.5})
    vectors = union.transform(maps[:2])
    directions = np.random.default_rng(1).normal(size=vectors.shape)
    for encoder in (union, GlobalPooler().fit(maps)):
        n_features = encoder.transform(maps[:2]).shape[1]
        shares = split_scores(encoder, maps[:2], directions[:, :n_features])
        totals = [sum(part.sum() for part in of_image) for of_image in shares]
        expected = (encoder.transform(maps[:2]) * directions[:, :n_features]).sum(axis=1)
        np.testing.assert_allclose(totals, expected, rtol=1e-6)
