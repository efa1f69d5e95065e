"""Folders of images by their names."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skdeepenc.search.web import folders
from skdeepenc.search.web.folders import Folders

PARTS = st.lists(st.sampled_from(["a", "b", "a b", "<b>"]), max_size=4)
NAMES = st.lists(PARTS.map(lambda parts: "/".join([*parts, "1.png"])), min_size=1, max_size=20)


@given(NAMES)
def test_a_folder_holds_what_its_name_begins(names):
    found = Folders(names)
    for number, parts in enumerate(found.parts):
        begin = found.root + "".join(f"{part}/" for part in parts)
        expected = [name.startswith(begin) for name in names]
        assert found.holds(number).tolist() == expected
        assert found.counts()[number] == sum(expected)


def test_images_without_folders_are_in_one():
    assert Folders(["image 0", "image 1"]).parts == [()]
    assert Folders([]).counts().tolist() == [0]


def test_names_of_windows_have_folders_too():
    found = Folders(["C:\\a\\1.png", "C:\\b\\2.png"])
    assert (found.root, found.parts) == ("C:/", [(), ("a",), ("b",)])


def test_too_many_folders_count_as_those_that_they_are_in(monkeypatch):
    monkeypatch.setattr(folders, "MOST_FOLDERS", 3)
    found = Folders([f"{letter}/{number}/x.png" for letter in "ab" for number in range(4)])
    assert found.parts == [(), ("a",), ("b",)]
    assert np.array_equal(found.counts(), [8, 4, 4])
