import numpy as np
import pytest
from PIL import Image

from skdeepenc.datasets import load_image_folder
from skdeepenc.exceptions import DataSetError


@pytest.fixture
def folder(tmp_path):
    for name, count in (("dog", 2), ("cat", 3)):
        (tmp_path / name).mkdir()
        for index in range(count):
            Image.new("RGB", (8, 8)).save(tmp_path / name / f"{index}.png")
    return tmp_path


def test_classes_and_images_come_in_the_order_of_names(folder):
    images = load_image_folder(folder)
    assert images.target_names == ["cat", "dog"]
    assert images.target.tolist() == [0, 0, 0, 1, 1]
    assert images.paths == [
        str(folder / name)
        for name in ("cat/0.png", "cat/1.png", "cat/2.png", "dog/0.png", "dog/1.png")
    ]


def test_paths_and_classes_alone(folder):
    paths, target = load_image_folder(str(folder), return_X_y=True)
    assert len(paths) == len(target) == 5
    assert np.issubdtype(target.dtype, np.integer)


def test_images_lie_at_any_depth_and_end_in_any_case(folder):
    (folder / "cat" / "more").mkdir()
    Image.new("RGB", (8, 8)).save(folder / "cat" / "more" / "9.JPG")
    assert load_image_folder(folder).paths[3].endswith("9.JPG")


def test_other_files_and_hidden_ones_are_left_out(folder):
    (folder / "notes.txt").write_text("about these images")
    (folder / "cat" / "Thumbs.db").write_bytes(b"")
    (folder / "cat" / "._0.png").write_bytes(b"")
    (folder / ".cache").mkdir()
    (folder / "cat" / ".cache").mkdir()
    Image.new("RGB", (8, 8)).save(folder / "cat" / ".cache" / "0.png")
    assert load_image_folder(folder).target.tolist() == [0, 0, 0, 1, 1]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DataSetError, match=r"nowhere does not exist.*one subfolder for each class"):
        load_image_folder(tmp_path / "nowhere")


def test_a_file_is_no_folder(folder):
    with pytest.raises(DataSetError, match=r"0\.png is a file"):
        load_image_folder(folder / "cat" / "0.png")


def test_images_without_class_folders_are_refused(folder):
    with pytest.raises(DataSetError, match="has no subfolders"):
        load_image_folder(folder / "cat")


def test_empty_class_folders_are_all_named(folder):
    (folder / "cow").mkdir()
    (folder / "owl").mkdir()
    with pytest.raises(DataSetError, match=r"No images in 'cow', 'owl'.*those folders"):
        load_image_folder(folder)
