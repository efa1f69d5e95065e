"""`skdeepenc export` and `skdeepenc verify` answer, and leave nothing behind where they fail."""

import numpy as np
import pytest
from export.test_resampling import smooth_image
from PIL import Image
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

import skdeepenc
from skdeepenc.cli import main
from skdeepenc.encoders import GlobalPooler
from skdeepenc.extraction import ActivationExtractor


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a saved pipeline, and photos of several sizes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    images = [smooth_image(64 + 5 * n, 80, seed=n) for n in range(6)]
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / "photos" / f"{number}.png")
    pipeline = make_pipeline(ActivationExtractor(layers="conv5"), GlobalPooler(), LinearSVC())
    skdeepenc.save(pipeline.fit(images, np.arange(6) % 2), "flowers.skops")
    return tmp_path


def test_a_pipeline_is_exported_and_compared(folder, capsys):
    assert main(["export", "flowers.skops", "flowers.onnx", "--verify", "photos"]) == 0
    written, *figures = capsys.readouterr().out.splitlines()
    assert written.startswith("flowers.onnx written, ")
    assert [line.partition(":")[0] for line in figures] == [
        "images compared",
        "least cosine",
        "median cosine",
        "largest difference",
        "same class",
    ]
    assert main(["verify", "flowers.skops", "flowers.onnx", "photos"]) == 0
    assert capsys.readouterr().out.splitlines() == figures
    assert main(["verify", "flowers.skops", "flowers.onnx", "photos", "--tolerance", "-1"]) == 2
    assert "differs from flowers.skops" in capsys.readouterr().err


def test_a_graph_of_classes_alone_is_compared_by_them(folder, capsys):
    assert main(["export", "flowers.skops", "class.onnx", "--outputs", "class"]) == 0
    capsys.readouterr()
    assert main(["verify", "flowers.skops", "class.onnx", "photos"]) == 0
    assert capsys.readouterr().out.splitlines() == ["images compared: 6", "same class: 1"]
    pipeline = skdeepenc.load("flowers.skops")
    pipeline[-1].classes_ = pipeline[-1].classes_[::-1]
    skdeepenc.save(pipeline, "others.skops")
    assert main(["verify", "others.skops", "class.onnx", "photos"]) == 2
    assert "class.onnx differs from others.skops" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--outputs", "neighbors"], "this pipeline gives 'class', 'scores', 'vector'"),
        (["--verify", "photos", "--tolerance", "1e-16"], "by more than tolerance=1e-16"),
        (["--verify", "photos", "--input", "maps"], "--verify compares images"),
    ],
)
def test_what_fails_leaves_nothing_behind(words, message, folder, capsys):
    assert main(["export", "flowers.skops", "flowers.onnx", *words]) == 2
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in folder.iterdir()) == ["flowers.skops", "photos"]


def test_a_file_that_is_there_is_kept(folder, capsys):
    (folder / "flowers.onnx").write_text("mine")
    assert main(["export", "flowers.skops", "flowers.onnx"]) == 2
    assert "flowers.onnx exists" in capsys.readouterr().err
    assert (folder / "flowers.onnx").read_text() == "mine"
    assert main(["export", "flowers.skops", "flowers.onnx", "--overwrite"]) == 0
