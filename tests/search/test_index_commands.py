"""A search engine in four commands."""

import shutil
from pathlib import Path

import pytest
from PIL import Image
from search.indexed_scenes import SCENES, pooled
from test_cli import fail

import skdeepenc
from skdeepenc.cli import main

pytest.importorskip("pyarrow")


def lines_of(capsys, *words):
    assert main([str(word) for word in words]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for number, scene in enumerate(SCENES[:4]):
        Image.fromarray(scene).save(f"photos/{number}.png")
    shutil.copy("photos/1.png", "photos/copy.png")
    (tmp_path / "photos" / "bad.png").write_bytes(b"bad")
    (tmp_path / "photos" / "telephone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0")
    skdeepenc.save(pooled().fit(list(SCENES[:2])), "encoder.skops")


def test_images_are_indexed_searched_and_compared(photos, capsys):
    lines = lines_of(capsys, "index", "photos", "index", "--encoder", "encoder.skops")
    assert lines[0] == "5 images in index"
    assert lines[1] == "2 could not be read, all of them listed in index/failures-*.csv:"
    assert lines[2] == "  photos/bad.png: this is not an image of a known format"
    assert lines[3].startswith("  photos/telephone.heic: this is a HEIC")
    (listed,) = Path("index").glob("failures-*.csv")
    assert listed.read_text(encoding="utf-8").startswith("image,error\nphotos/bad.png,this is not")
    pytest.importorskip("matplotlib")
    words = ["photos/3.png", "photos/0.png", "--n-neighbors", 2, "--plot", "found.png"]
    lines = lines_of(capsys, "search", "index", *words)
    assert lines[0].split() == ["query", "rank", "similarity", "image"]
    assert [line.split()[::3] for line in lines[1::2]] == [
        ["photos/3.png"] * 2,
        ["photos/0.png"] * 2,
    ]
    with Image.open("found.png") as drawn:
        assert drawn.width > 100
    lines = lines_of(capsys, "duplicates", "index")
    assert [line.split() for line in lines[1:]] == [
        ["0", "1.0000", "photos/1.png"],
        ["0", "1.0000", "photos/copy.png"],
    ]
    Image.fromarray(SCENES[5]).save("photos/bad.png")
    lines = lines_of(capsys, "update", "index", "photos")
    assert lines[0].startswith("1 images encoded")
    assert len(lines) == 3
    assert "1 failed" in lines[0]
    assert "not an index" in fail(["search", "photos", "photos/1.png"], capsys)
