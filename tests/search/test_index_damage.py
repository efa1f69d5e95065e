"""What can be wrong with an index is one error each, and nothing is lost."""

import json
import shutil

import numpy as np
import pytest
from search.indexed_scenes import SCENES, pooled

from skdeepenc import save
from skdeepenc.arrays.files import read_description, write_description
from skdeepenc.exceptions import StorageError
from skdeepenc.search import ImageIndex

filelock = pytest.importorskip("filelock")
pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built") / "index"
    ImageIndex.build(pooled(), list(SCENES), folder)
    return folder


@pytest.fixture
def folder(built, tmp_path):
    return shutil.copytree(built, tmp_path / "index")


def rewrite(folder, **changes):
    content, _ = read_description(folder / "index.json")
    write_description(folder / "index.json", {**content, **changes})


def only(folder, pattern):
    (path,) = folder.glob(pattern)
    return path


def test_a_folder_that_is_no_index(tmp_path):
    with pytest.raises(StorageError, match=r"not an index: it has no index\.json"):
        ImageIndex.open(tmp_path)


def test_an_index_of_a_newer_version(folder):
    rewrite(folder, format=99, version="9.1")
    with pytest.raises(StorageError, match=r"written by skdeepenc 9\.1.*Upgrade"):
        ImageIndex.open(folder)


@pytest.mark.parametrize("change", [{"what": "a diary"}, {"segments": [{}]}, {"wheels": 4}])
def test_a_manifest_that_describes_something_else(folder, change):
    rewrite(folder, **change)
    with pytest.raises(StorageError, match=r"index\.json (is damaged|does not describe)"):
        ImageIndex.open(folder)


def test_a_manifest_that_was_edited(folder):
    path = folder / "index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "n_features": 7}))
    with pytest.raises(StorageError, match="changed since it was written"):
        ImageIndex.open(folder)


@pytest.mark.parametrize(
    "name", ["../vectors-00000001-0.npy", "/etc/passwd", "a/vectors-00000001-0.npy", "index.json"]
)
def test_a_manifest_that_names_files_elsewhere(folder, name):
    content, _ = read_description(folder / "index.json")
    rewrite(folder, segments=[{**content["segments"][0], "vectors": name}])
    with pytest.raises(StorageError, match="do not trust it"):
        ImageIndex.open(folder)


@pytest.mark.parametrize("pattern", ["vectors-*", "images-*"])
def test_a_file_that_is_missing(folder, pattern):
    path = only(folder, pattern)
    path.unlink()
    with pytest.raises(StorageError, match=f"lacks {path.name}"):
        ImageIndex.open(folder)


def test_vectors_that_are_cut_off_or_others(folder):
    path = only(folder, "vectors-*")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StorageError, match=r"vectors.*damaged"):
        ImageIndex.open(folder)
    np.save(path, np.zeros((3, 2), np.float16))
    with pytest.raises(StorageError, match="not the file"):
        ImageIndex.open(folder)


def test_a_table_that_is_damaged(folder):
    path = only(folder, "images-*")
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 255
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"images.*damaged"):
        print(ImageIndex.open(folder).images)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"a,b\n", b"image,error\n1\n", b'image,error\n"']
)
def test_a_list_of_failures_that_is_damaged(folder, tmp_path, content):
    ImageIndex.open(folder).add([tmp_path / "gone.png"])
    only(folder, "failures-*.csv").write_bytes(content)
    with pytest.raises(StorageError, match=r"failures.*damaged"):
        print(ImageIndex.open(folder).failures)


def test_another_encoder(folder):
    other = pooled().set_params(globalpooler__method="max").fit(list(SCENES[:2]))
    save(other, folder / "encoder.skops", include_model=True)
    with pytest.raises(StorageError, match="not the encoder that the vectors"):
        ImageIndex.open(folder).search([SCENES[0]])


def test_a_folder_with_an_index_is_not_built_again(folder):
    with pytest.raises(StorageError, match="holds an index already"):
        ImageIndex.build(pooled(), list(SCENES), folder)
    assert len(ImageIndex.open(folder)) == len(SCENES)


def test_a_second_writer_is_told_so_and_readers_are_not(folder):
    index = ImageIndex.open(folder)
    with filelock.FileLock(folder / "lock"):
        with pytest.raises(StorageError, match="changed by another process"):
            index.add([SCENES[0]])
        assert len(ImageIndex.open(folder).search([SCENES[0]], 1)) == 1
    index.remove("image 0")


def test_a_disk_that_is_full_leaves_the_index_as_it_was(folder, monkeypatch):
    index = ImageIndex.open(folder)
    before = sorted(path.name for path in folder.iterdir())

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("skdeepenc.search.index_writer.write_array", full)
    with pytest.raises(StorageError, match=r"No space left.*as it was before"):
        index.add([255 - SCENES[0]])
    monkeypatch.undo()
    assert {path.name for path in folder.iterdir()} == {*before, "lock"}
    assert index.add([255 - SCENES[0]]).n_encoded == 1


def test_images_that_vanish_in_between_are_listed(folder, tmp_path):
    summary = ImageIndex.open(folder).add([tmp_path / "gone.png", SCENES[0] // 2])
    assert (summary.n_encoded, summary.n_failures) == (1, 1)
    assert "gone.png" in ImageIndex.open(folder).failures["image"][0]


def test_what_is_left_of_a_killed_writer_is_cleared_away(folder):
    (folder / ".index.json.abc").mkdir()
    (folder / "vectors-00000077-0.npy").write_bytes(b"")
    (folder / "notes.txt").write_text("mine")
    ImageIndex.open(folder).remove("image 0")
    names = {path.name for path in folder.iterdir()}
    assert "notes.txt" in names
    assert not names & {".index.json.abc", "vectors-00000077-0.npy"}
