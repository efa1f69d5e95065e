"""Loaders of published data sets, on small folders of the same layout."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.io import savemat

from skdeepenc import datasets
from skdeepenc.cli import main
from skdeepenc.exceptions import DataSetError


def write(folder, **files):
    """Write text files, given as name with __ for / and - for . , and touch lists of images."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.fixture
def indoor(tmp_path):
    images = ["bar/a.jpg", "bar/b c.jpg", "gym/a.jpg", "gym/b.jpg"]
    touch(tmp_path / "Images", *images, "gym/unused.jpg")
    write(
        tmp_path,
        **{"TrainImages.txt": "gym/a.jpg\nbar/a.jpg\n", "TestImages.txt": "bar/b c.jpg\ngym/b.jpg"},
    )
    return tmp_path


def test_indoor67(indoor):
    loaded = datasets.load_indoor67(indoor)
    assert [Path(path).name for path in loaded.paths] == ["a.jpg", "a.jpg", "b c.jpg", "b.jpg"]
    assert loaded.target_names == ["bar", "gym"]
    assert_array_equal(loaded.target, [1, 0, 0, 1])
    assert_array_equal(loaded.train, [0, 1])
    assert_array_equal(loaded.test, [2, 3])


def test_says_what_is_missing_and_where_to_get_it(indoor):
    (indoor / "Images/gym/b.jpg").unlink()
    with pytest.raises(DataSetError, match=r"gym/b\.jpg.*web\.mit\.edu"):
        datasets.load_indoor67(indoor)
    (indoor / "TestImages.txt").unlink()
    with pytest.raises(DataSetError, match=r"TestImages\.txt"):
        datasets.load_indoor67(indoor)


def test_sun397(tmp_path):
    images = ["/a/abbey/1.jpg", "/a/apse/indoor/1.jpg", "/a/abbey/2.jpg"]
    touch(tmp_path / "SUN397", *(name[1:] for name in images))
    write(
        tmp_path / "Partitions",
        **{
            "ClassName.txt": "/a/abbey\n/a/apse/indoor\n",
            "Training_02.txt": "\n".join(images[:2]),
            "Testing_02.txt": images[2] + "\n",
        },
    )
    loaded = datasets.load_sun397(tmp_path, split=2)
    assert loaded.target_names == ["abbey", "apse/indoor"]
    assert_array_equal(loaded.target, [0, 1, 0])
    assert_array_equal(loaded.test, [2])
    with pytest.raises(DataSetError, match=r"Training_01\.txt"):
        datasets.load_sun397(tmp_path)
    with pytest.raises(ValueError, match="split"):
        datasets.load_sun397(tmp_path, split=11)


def test_voc2007(tmp_path):
    touch(tmp_path / "JPEGImages", "000001.jpg", "000002.jpg", "000003.jpg")
    lists = {"train": ["000002"], "val": ["000001"], "test": ["000003"]}
    for split, members in lists.items():
        write(tmp_path / "ImageSets/Main", **{f"{split}.txt": "\n".join(members)})
        for name in datasets.voc2007.CLASSES:
            label = {"cat": " 1", "dog": " 0"}.get(name, "-1")
            content = "".join(f"{member} {label}\n" for member in members)
            write(tmp_path / "ImageSets/Main", **{f"{name}_{split}.txt": content})
    loaded = datasets.load_voc2007(tmp_path)
    assert [Path(path).stem for path in loaded.paths] == ["000002", "000001", "000003"]
    assert loaded.target.shape == (3, 20)
    assert_array_equal(loaded.target[:, loaded.target_names.index("cat")], 1)
    assert_array_equal(loaded.target[:, loaded.target_names.index("dog")], 0)
    assert loaded.target.sum() == 3 - 3 * 18
    assert [loaded[split].tolist() for split in lists] == [[0], [1], [2]]


def test_flowers17(tmp_path):
    touch(tmp_path / "jpg", *(f"image_{number:04d}.jpg" for number in range(1, 1361)))
    savemat(tmp_path / "datasplits.mat", {"trn2": [[1, 81]], "val2": [[2]], "tst2": [[1360]]})
    loaded = datasets.load_flowers17(tmp_path, split=2)
    assert_array_equal(loaded.target[loaded.train], [0, 1])
    assert_array_equal(loaded.test, [1359])
    assert loaded.paths[80].endswith("image_0081.jpg")
    with pytest.raises(DataSetError, match="'trn1'"):
        datasets.load_flowers17(tmp_path)


def test_flowers102(tmp_path):
    touch(tmp_path / "jpg", *(f"image_{number:05d}.jpg" for number in range(1, 5)))
    savemat(tmp_path / "imagelabels.mat", {"labels": [[77, 77, 1, 102]]})
    savemat(tmp_path / "setid.mat", {"trnid": [[4, 1]], "valid": [[2]], "tstid": [[3]]})
    loaded = datasets.load_flowers102(tmp_path)
    assert_array_equal(loaded.target, [76, 76, 0, 101])
    assert_array_equal(loaded.train, [3, 0])
    assert loaded.paths[3].endswith("image_00004.jpg")


def test_cub200(tmp_path):
    touch(tmp_path / "images", "001.Auk/a.jpg", "002.Jay/b.jpg")
    write(
        tmp_path,
        **{
            "images.txt": "1 001.Auk/a.jpg\n2 002.Jay/b.jpg\n",
            "classes.txt": "1 001.Auk\n2 002.Jay\n",
            "image_class_labels.txt": "2 2\n1 1\n",
            "train_test_split.txt": "1 1\n2 0\n",
            "bounding_boxes.txt": "1 10.0 20.0 30.0 40.0\n2 0.0 0.0 5.0 6.0\n",
        },
    )
    loaded = datasets.load_cub200(tmp_path)
    assert_array_equal(loaded.target, [0, 1])
    assert_array_equal(loaded.boxes, [[10, 20, 40, 60], [0, 0, 5, 6]])
    assert_array_equal(loaded.train, [0])
    assert_array_equal(loaded.test, [1])
    (tmp_path / "train_test_split.txt").write_text("1 1\n")
    with pytest.raises(DataSetError, match="missing: 2"):
        datasets.load_cub200(tmp_path)


def test_holidays(tmp_path):
    touch(tmp_path / "jpg", "100000.jpg", "100001.jpg", "100002.jpg", "100100.jpg", "100101.jpg")
    loaded = datasets.load_holidays(tmp_path)
    assert_array_equal(loaded.queries, [0, 3])
    assert [right.tolist() for right in loaded.positives] == [[1, 2], [4]]
    assert_array_equal(loaded.target, [1000, 1000, 1000, 1001, 1001])
    (tmp_path / "jpg/100100.jpg").unlink()
    with pytest.raises(DataSetError, match="group 1001"):
        datasets.load_holidays(tmp_path)
    touch(tmp_path, "holiday.jpg")
    with pytest.raises(DataSetError, match=r"holiday\.jpg is not one of its images"):
        datasets.load_holidays(tmp_path)


def test_ukb(tmp_path):
    touch(tmp_path / "full", *(f"ukbench{number:05d}.jpg" for number in range(8)))
    loaded = datasets.load_ukb(tmp_path)
    assert_array_equal(loaded.target, [0, 0, 0, 0, 1, 1, 1, 1])
    assert loaded.paths[5].endswith("ukbench00005.jpg")
    (tmp_path / "full/ukbench00003.jpg").unlink()
    with pytest.raises(DataSetError, match=r"ukbench00003\.jpg"):
        datasets.load_ukb(tmp_path)


@pytest.fixture
def buildings(tmp_path):
    touch(tmp_path, "images/a_1.jpg", "images/a_2.jpg", "images/sub/a_3.jpg", "images/b_1.jpg")
    write(
        tmp_path / "gt",
        **{
            "a_1_query.txt": "oxc1_a_1 136.5 34.1 648.5 955.7",
            "a_1_good.txt": "a_2\n",
            "a_1_ok.txt": "a_1\n",
            "a_1_junk.txt": "b_1\n",
            "b_1_query.txt": "b_1 0 0 10 20",
            "b_1_good.txt": "b_1\n",
            "b_1_ok.txt": "",
            "b_1_junk.txt": "",
        },
    )
    return tmp_path


@pytest.mark.parametrize("load", [datasets.load_oxford5k, datasets.load_paris6k])
def test_buildings(buildings, load):
    loaded = load(buildings)
    assert loaded.names == ["a_1", "a_2", "a_3", "b_1"]
    assert loaded.query_names == ["a_1", "b_1"]
    assert loaded.query_paths[1] == loaded.paths[3]
    assert_array_equal(loaded.boxes, [[136.5, 34.1, 648.5, 955.7], [0, 0, 10, 20]])
    assert [right.tolist() for right in loaded.positives] == [[1, 0], [3]]
    assert [ignored.tolist() for ignored in loaded.junk] == [[3], []]


def test_buildings_say_what_is_missing(buildings):
    (buildings / "images/a_2.jpg").unlink()
    with pytest.raises(DataSetError, match=r"missing: a_2.*oxbuildings"):
        datasets.load_oxford5k(buildings)
    (buildings / "gt/b_1_junk.txt").unlink()
    with pytest.raises(DataSetError, match=r"b_1_junk\.txt"):
        datasets.load_oxford5k(buildings)
    with pytest.raises(DataSetError, match=r"gnd_roxford5k\.pkl.*revisitop"):
        datasets.load_oxford5k(buildings, ground_truth="revisited", allow_pickle=True)


def revisited_truth():
    query = {"bbx": [1.0, 2.0, 3.0, 4.0], "easy": np.array([0]), "hard": [2], "junk": np.array([])}
    return {"imlist": ["a_2", "a_3", "b_1"], "qimlist": ["a_1"], "gnd": [query]}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_revisited(buildings, protocol):
    path = buildings / "gnd_rparis6k.pkl"
    path.write_bytes(pickle.dumps(revisited_truth(), protocol=protocol))
    loaded = datasets.load_paris6k(buildings, ground_truth="revisited", allow_pickle=True)
    assert loaded.names == ["a_2", "a_3", "b_1"]
    assert loaded.query_paths[0].endswith("a_1.jpg")
    assert [loaded[kind][0].tolist() for kind in ("easy", "hard", "junk")] == [[0], [2], []]
    assert_array_equal(loaded.boxes, [[1, 2, 3, 4]])


def test_revisited_refuses_what_is_no_ground_truth(buildings):
    path = buildings / "gnd_roxford5k.pkl"
    path.write_bytes(pickle.dumps({"imlist": []}))
    with pytest.raises(DataSetError, match="'qimlist'"):
        datasets.load_oxford5k(buildings, ground_truth="revisited", allow_pickle=True)
    path.write_bytes(pickle.dumps(revisited_truth() | {"imlist": ["elsewhere"] * 3}))
    with pytest.raises(DataSetError, match="elsewhere"):
        datasets.load_oxford5k(buildings, ground_truth="revisited", allow_pickle=True)


def test_revisited_is_converted_once_and_its_pickle_read_on_request_alone(buildings):
    path = buildings / "gt" / "gnd_roxford5k.pkl"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pickle.dumps(revisited_truth(), protocol=2))
    with pytest.raises(DataSetError, match=r"`skdeepenc convert .*pkl`.*allow_pickle=True"):
        datasets.load_oxford5k(buildings, ground_truth="revisited")
    pickled = datasets.load_oxford5k(buildings, ground_truth="revisited", allow_pickle=True)
    assert main(["convert", str(path)]) == 0
    path.unlink()
    loaded = datasets.load_oxford5k(buildings, ground_truth="revisited")
    assert loaded.keys() == pickled.keys()
    for key, value in loaded.items():
        if key in ("boxes", "easy", "hard", "junk"):
            for given, expected in zip(value, pickled[key], strict=True):
                assert given.dtype == expected.dtype
                assert_array_equal(given, expected)
        else:
            assert value == pickled[key]


def test_what_is_converted_is_a_ground_truth(buildings):
    path = buildings / "gnd_roxford5k.pkl"
    path.write_bytes(pickle.dumps(revisited_truth() | {"gnd": [{"bbx": [10**400] * 4}]}))
    with pytest.raises(DataSetError, match="lacks what it should hold"):
        datasets.convert_revisited(path)
    assert not path.with_suffix(".json").exists()


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"\xff", b"[]", b'{"imlist": {}}'])
def test_damaged_json_is_an_error_that_names_the_file(buildings, content):
    (buildings / "gnd_roxford5k.json").write_bytes(content)
    with pytest.raises(DataSetError, match=r"gnd_roxford5k\.json"):
        datasets.load_oxford5k(buildings, ground_truth="revisited")


def test_sculptures6k(buildings):
    (buildings / "images").rename(buildings / "test")
    touch(buildings / "train", "c_1.jpg")
    loaded = datasets.load_sculptures6k(buildings)
    assert loaded.names == ["a_1", "a_2", "a_3", "b_1"]
    assert [right.tolist() for right in loaded.positives] == [[1, 0], [3]]
    assert datasets.load_sculptures6k(buildings, subset="train").names == ["c_1"]


# --- Lists of others are not trusted -----------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"gym/a.jpg\n\xff.jpg\n", "line 2: not text"),
        (b"gym/a.jpg\n\n../a.jpg\n", r"line 3: unexpected '\.\./a\.jpg'"),
        (b"/etc/passwd\n", "line 1: unexpected"),
        (b"\n", "is empty"),
    ],
)
def test_an_error_names_file_and_line(indoor, content, reason):
    (indoor / "TestImages.txt").write_bytes(content)
    with pytest.raises(DataSetError, match=rf"TestImages\.txt.*{reason}"):
        datasets.load_indoor67(indoor)


def test_a_list_that_is_not_a_plain_file_is_not_read(indoor):
    (indoor / "TestImages.txt").unlink()
    os.mkfifo(indoor / "TestImages.txt")
    with pytest.raises(DataSetError, match=r"TestImages\.txt is not a file"):
        datasets.load_indoor67(indoor)


def test_a_list_of_a_terabyte_is_not_read(indoor):
    with (indoor / "TestImages.txt").open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(DataSetError, match=r"TestImages\.txt is .*larger"):
        datasets.load_indoor67(indoor)


@pytest.mark.parametrize(
    "change",
    [
        {"imlist": ["a_2", 5]},
        {"gnd": []},
        {"gnd": [{"bbx": [1, 2, 3], "easy": [], "hard": [], "junk": []}]},
        {"gnd": [{"bbx": [1, 2, 3, np.nan], "easy": [], "hard": [], "junk": []}]},
        {"gnd": [{"bbx": [1, 2, 3, 4], "easy": [3], "hard": [], "junk": []}]},
        {"gnd": [{"bbx": [1, 2, 3, 4], "easy": [-1], "hard": [], "junk": []}]},
        {"gnd": [{"bbx": [1, 2, 3, 4], "easy": [0.5], "hard": [], "junk": []}]},
    ],
)
def test_answers_outside_the_gallery_are_refused(buildings, change):
    path = buildings / "gnd_roxford5k.pkl"
    path.write_bytes(pickle.dumps(revisited_truth() | change))
    with pytest.raises(DataSetError, match="lacks what it should hold"):
        datasets.load_oxford5k(buildings, ground_truth="revisited", allow_pickle=True)
