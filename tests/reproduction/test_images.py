"""Images come with halves, or with queries and right answers, drawn or from a folder."""

import numpy as np
import pytest
from PIL import Image

from skdeepenc.datasets import make_scenes
from skdeepenc.exceptions import DataSetError
from skdeepenc.reproduction.labelled import draw_labelled, halves, open_labelled
from skdeepenc.reproduction.photographs import EDGE, photograph
from skdeepenc.reproduction.searched import draw_searched, open_searched


def save(path, size=(80, 60)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)


def write(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def test_turns_draw_other_images_with_ids_of_their_own():
    first, second = (draw_labelled(20, seed) for seed in range(2))
    assert not np.array_equal(first.images[0], second.images[0])
    assert len(np.unique([first.ids, second.ids])) == 40
    assert set(first.target[first.train]) == set(first.target[first.test])
    assert sorted([*first.train, *first.test]) == list(range(20))


def test_a_folder_of_classes_is_halved_anew_for_each_seed(tmp_path):
    for label in "ab":
        for number in range(10):
            save(tmp_path / label / f"{number}.png")
    title, load = open_labelled(tmp_path)
    first, second = load(0), load(1)
    assert title == tmp_path.name
    assert first.images == second.images
    assert len(first.train) == len(first.test) == 10
    assert sorted(first.train) != sorted(second.train)
    few = open_labelled(tmp_path, few=True)[1](0)
    assert len(few.images) == 20  # five of a class in each half are few enough


def test_a_standard_folder_keeps_its_own_split(tmp_path):
    for name in ("gym/1", "gym/2", "bar/1", "bar/2"):
        save(tmp_path / "Images" / f"{name}.jpg")
    write(tmp_path / "TrainImages.txt", ["gym/1.jpg", "bar/1.jpg"])
    write(tmp_path / "TestImages.txt", ["gym/2.jpg", "bar/2.jpg"])
    title, load = open_labelled(tmp_path)
    found = load(3)
    assert title == "MIT Indoor 67"
    assert [found.images[image][-9:] for image in found.train] == ["gym/1.jpg", "bar/1.jpg"]
    assert found.target[found.test].tolist() == found.target[found.train].tolist()


def test_photographs_show_the_middle_of_their_object():
    random = np.random.RandomState(0)
    scenes = make_scenes(10, image_size=96, random_state=0)
    for scene, box in zip(scenes.images, scenes.boxes, strict=True):
        image, (left, top, right, bottom) = photograph(scene, box, random)
        assert min(image.shape[:2]) == EDGE
        assert 0 <= left < right <= image.shape[1]
        assert 0 <= top < bottom <= image.shape[0]


def test_drawn_queries_ask_for_other_views_of_their_scene():
    drawn = draw_searched(3, seed=1)
    assert len(drawn.images) == len(drawn.learning) == 12
    assert [positives.tolist() for positives in drawn.positives] == [
        [1, 2, 3],
        [5, 6, 7],
        [9, 10, 11],
    ]
    assert [junk.tolist() for junk in drawn.junk] == [[0], [4], [8]]
    assert (drawn.boxes[:, 2:] <= drawn.sizes[:, ::-1]).all()


@pytest.fixture
def oxford(tmp_path):
    """Save six buildings, of which one is asked for and two answer."""
    for number in range(6):
        save(tmp_path / "jpg" / f"tower_{number}.jpg")
    write(tmp_path / "tower_1_query.txt", ["oxc1_tower_0 10 5 70 50"])
    write(tmp_path / "tower_1_good.txt", ["tower_0", "tower_3"])
    write(tmp_path / "tower_1_ok.txt", [])
    write(tmp_path / "tower_1_junk.txt", ["tower_5"])
    return tmp_path


def test_oxford_is_known_by_its_queries(oxford):
    title, load = open_searched(oxford)
    found = load(0)
    assert title == "Oxford5k (6 images)"
    assert found.queries.tolist() == [0]
    assert found.boxes.tolist() == [[10, 5, 70, 50]]
    assert found.sizes.tolist() == [[60, 80]]
    assert [found.positives[0].tolist(), found.junk[0].tolist()] == [[0, 3], [5]]


def test_few_images_keep_all_that_queries_name(oxford, monkeypatch):
    monkeypatch.setattr("skdeepenc.reproduction.searched._FEW", 1)
    full, few = (open_searched(oxford, few=few)[1](0) for few in (False, True))
    assert len(few.images) == 4
    for kind in ("positives", "junk"):
        named = [[each.images[image] for image in getattr(each, kind)[0]] for each in (full, few)]
        assert named[0] == named[1]


def test_a_query_of_holidays_asks_whole_and_not_for_itself(tmp_path):
    for number in (100000, 100001, 100100, 100101):
        save(tmp_path / f"{number}.jpg")
    title, load = open_searched(tmp_path)
    found = load(0)
    assert title == "INRIA Holidays (4 images)"
    assert found.boxes.tolist() == [[0, 0, 80, 60]] * 2
    assert [each.tolist() for each in found.junk] == [[0], [2]]


@pytest.mark.parametrize(
    ("opening", "message"),
    [(open_searched, "none of the data sets that are searched"), (open_labelled, "only one class")],
)
def test_folders_of_the_wrong_kind_are_refused(tmp_path, opening, message):
    save(tmp_path / "photos" / "cat.png")
    with pytest.raises(DataSetError, match=message):
        opening(tmp_path)


def test_halves_share_no_image_and_hold_every_class():
    target = np.repeat(np.arange(5), [2, 3, 4, 5, 40])
    train, test = halves(target, list("abcde"), 0)
    assert sorted([*train, *test]) == list(range(len(target)))
    assert set(target[train]) == set(target[test]) == set(range(5))
