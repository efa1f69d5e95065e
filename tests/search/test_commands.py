"""From a folder of images to vectors in two commands."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image
from search.conftest import N_IMAGES
from test_cli import fail

import skdeepenc
from skdeepenc.cli import main
from skdeepenc.datasets import make_scenes
from skdeepenc.search import read_shards

pytest.importorskip("pyarrow")
pytest.importorskip("fsspec")
# The command line says it in one line; here it would be an error.
pytestmark = pytest.mark.filterwarnings("ignore::skdeepenc.exceptions.ImageBatchWarning")


def command(*words):
    assert main([str(word) for word in words]) == 0


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """A folder of two classes, and one file that is no image."""
    folder = tmp_path_factory.mktemp("scenes")
    scenes = make_scenes(12, n_classes=2, image_size=64, random_state=0)
    for number, (image, label) in enumerate(zip(scenes.images, scenes.target, strict=True)):
        (folder / str(label)).mkdir(exist_ok=True)
        Image.fromarray(image).save(folder / str(label) / f"{number:02}.png")
    (folder / "0" / "bad.png").write_bytes(b"bad")
    return folder


def test_a_folder_becomes_an_encoder_and_then_vectors(scenes, tmp_path, capsys):
    encoder = tmp_path / "encoder.skops"
    command("fit", scenes, encoder, "--task", "duplicates", "--max-images", 9)
    captured = capsys.readouterr()
    assert captured.out == (f"{encoder}: ActivationExtractor + GlobalPooler, fitted on 9 images\n")
    command("encode", scenes, tmp_path / "vectors", "--encoder", encoder, "--shard-size", 5)
    assert capsys.readouterr().out.splitlines() == [
        "13 images, 1 of them failed, in 3 shards: 3 written, 0 there already",
        f"what failed, and why, is listed in {tmp_path}/vectors/failures-*.csv",
    ]
    shards = read_shards(tmp_path / "vectors")
    paths = [path for path in shards.listing()["image"].to_pylist() if "bad" not in path]
    vectors = np.concatenate([shard.vectors for shard in shards])
    expected = skdeepenc.load(encoder).transform(paths).astype(np.float16)
    assert_array_equal(vectors[vectors.any(axis=1)], expected)


def test_a_folder_of_classes_becomes_a_classifier(scenes, tmp_path, capsys):
    words = ["--task", "classification", "--size", "fast", "--include-model"]
    command("fit", scenes, tmp_path / "classifier.skops", *words)
    assert "LinearSVC, fitted on 13 images" in capsys.readouterr().out
    classifier = skdeepenc.load(tmp_path / "classifier.skops")
    images = [path for path in sorted(scenes.rglob("*.png")) if path.name != "bad.png"]
    assert classifier.predict(images).tolist() == [path.parent.name for path in images]


def test_workers_share_the_images(pipeline, photos, tmp_path, capsys):
    skdeepenc.save(pipeline, tmp_path / "encoder.skops")
    words = [*sorted(photos.iterdir()), tmp_path / "out", "--encoder", tmp_path / "encoder.skops"]
    for shard in range(2):
        command("encode", *words, "--shard", f"{shard}/2", "--shard-size", 2, "--dtype", "float32")
    assert "4 images, 1 of them failed" in capsys.readouterr().out
    assert len(read_shards(tmp_path / "out")) == N_IMAGES
    command("encode", *words, "--shard-size", 2, "--dtype", "float32", "--again")
    assert "4 written" in capsys.readouterr().out


def test_wrong_words_are_one_line(photos, tmp_path, capsys):
    words = ["encode", photos, tmp_path / "out", "--encoder"]
    assert "missing.skops is not a file" in fail([*words, tmp_path / "missing.skops"], capsys)
    assert "0/8, 1/8" in fail([*words, "encoder.skops", "--shard", "1of8"], capsys)
    assert "at least 1" in fail(["fit", photos, tmp_path / "e", "--max-images", "0"], capsys)
    assert "missing" in fail(["fit", tmp_path / "missing", tmp_path / "e"], capsys)
