"""Photographs and their index, and the page over it as a client of it sees it."""

import shutil
from contextlib import chdir

import pytest
from PIL import Image
from search.indexed_scenes import SCENES, pooled

pytest.importorskip("pyarrow")
pytest.importorskip("starlette")

from starlette.testclient import TestClient

from skdeepenc.search import ImageIndex, browse_app

HOSTILE = "<img src=x onerror=alert(1)>.png"
ADDRESS = "http://127.0.0.1:8765"
OWN = {"origin": ADDRESS}


@pytest.fixture(scope="session")
def indexed(tmp_path_factory):
    """Return a folder with photographs, two of them copies, and an index of them."""
    place = tmp_path_factory.mktemp("indexed")
    (place / "photos" / "old" / "roofs").mkdir(parents=True)
    for number, scene in enumerate(SCENES[:8]):
        folder = place / "photos" / ("old/roofs" if number > 5 else "")
        Image.fromarray(scene).save(folder / f"{number}.png")
    shutil.copy(place / "photos" / "1.png", place / "photos" / "old" / "copy.png")
    Image.fromarray(SCENES[8]).save(place / "photos" / HOSTILE)
    (place / "photos" / "bad.png").write_bytes(b"bad")
    with chdir(place):
        ImageIndex.build(pooled().fit(list(SCENES[:2])), "photos", "index")
    return place


@pytest.fixture(scope="session")
def client(indexed):
    """Return a client of the page, for tests that change nothing."""
    with chdir(indexed):
        app = browse_app("index")
    with TestClient(app, base_url=ADDRESS) as client:
        yield client


@pytest.fixture
def place(indexed, tmp_path, monkeypatch):
    """Return a copy, in which one works."""
    shutil.copytree(indexed, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path / "place"


@pytest.fixture
def client_there(place):
    """Return a client of the page over the copy."""
    with TestClient(browse_app("index"), base_url=ADDRESS) as client:
        yield client


def references(client, **fields):
    """Return how the page refers to images, by their names."""
    images = client.get("/api/images", params=fields).json()["images"]
    return {image["name"]: image["ref"] for image in images}
