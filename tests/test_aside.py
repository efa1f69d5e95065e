"""Files are put into their place when they are whole, and not before."""

import os

import pytest

from skdeepenc._aside import written_aside


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_files_take_their_place_together_and_leave_nothing_else(tmp_path):
    (tmp_path / "a.onnx").write_text("old")
    with written_aside(tmp_path / "a.onnx") as folder:
        (folder / "a.onnx").write_text("new")
        (folder / "a.onnx.data").write_text("weights")
        assert (tmp_path / "a.onnx").read_text() == "old"
    assert names(tmp_path) == ["a.onnx", "a.onnx.data"]
    assert (tmp_path / "a.onnx").read_text() == "new"


def test_an_error_leaves_what_was_there(tmp_path):
    (tmp_path / "a.onnx").write_text("old")

    def fail_midway():
        with written_aside(tmp_path / "a.onnx") as folder:
            (folder / "a.onnx").write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail_midway()
    assert names(tmp_path) == ["a.onnx"]
    assert (tmp_path / "a.onnx").read_text() == "old"


def test_what_the_others_belong_to_comes_last(tmp_path, monkeypatch):
    moved = []
    monkeypatch.setattr("os.replace", lambda source, target: moved.append(target.name))
    with written_aside(tmp_path / "a") as folder:
        for name in ("a", "a.data", "a.json"):
            (folder / name).touch()
    assert moved[-1] == "a"


def test_a_power_cut_finds_files_before_names_and_companions_before_what_names_them(
    tmp_path, monkeypatch
):
    done, names = [], {}
    monkeypatch.setattr("os.fsync", lambda file: done.append(os.path.basename(names[file])))
    opened, replace = os.open, os.replace

    def noted_open(path, *arguments):
        file = opened(path, *arguments)
        names[file] = path
        return file

    def noted_replace(source, target):
        done.append(f"-> {target.name}")
        replace(source, target)

    with written_aside(tmp_path / "a", durably=True) as folder:
        monkeypatch.setattr("os.open", noted_open)
        monkeypatch.setattr("os.replace", noted_replace)
        for name in ("a", "a.data"):
            (folder / name).touch()
    place = tmp_path.name
    assert done == ["a.data", "a", "-> a.data", place, "-> a", place]


def test_a_file_has_the_permissions_of_new_files(tmp_path):
    (tmp_path / "new").touch()
    with written_aside(tmp_path / "aside") as folder:
        (folder / "aside").touch()
    assert (tmp_path / "aside").stat().st_mode == (tmp_path / "new").stat().st_mode
