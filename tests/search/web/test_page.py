"""The page over an index: what it is told, and what it shows."""

import io

import numpy as np
import pytest
from PIL import Image
from search.indexed_scenes import SCENES
from search.web.conftest import HOSTILE, OWN, references

from skdeepenc.search import ImageIndex
from skdeepenc.search.web.reasons import reasons_for


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def sent(client, content, path="/api/similar", **fields):
    return client.post(path, params=fields, content=content, headers=OWN)


def names(answer):
    assert answer.status_code == 200, answer.text
    return [image["name"] for image in answer.json()["images"]]


def test_the_page_begins_with_what_there_is(client):
    answer = client.get("/api/collection").json()
    assert (answer["title"], answer["n_images"], answer["n_failures"]) == ("index", 10, 1)
    folders = [(each["name"], each["count"]) for each in answer["folders"]]
    assert folders == [("", 10), ("old", 3), ("old/roofs", 2)]


def test_images_that_are_not_where_they_were_are_explained(place, client_there):
    assert client_there.get("/api/collection").json()["missing"] is None
    (place / "photos").rename(place / "moved")
    missing = client_there.get("/api/collection").json()["missing"]
    assert "there is no such file" in missing
    assert "the folder from which the images were indexed" in missing


def test_images_are_listed_by_parts_and_by_folders(client):
    everything = names(client.get("/api/images"))
    assert everything == sorted(everything)
    assert HOSTILE in everything
    assert names(client.get("/api/images?start=2&count=3")) == everything[2:5]
    answer = client.get("/api/images?folder=1&count=1").json()
    assert (answer["total"], len(answer["images"])) == (3, 1)
    assert names(client.get("/api/images?folder=2")) == ["old/roofs/6.png", "old/roofs/7.png"]


def test_an_image_of_the_index_finds_itself_first(client):
    image = references(client)["3.png"]
    answer = client.get("/api/similar", params={"image": image})
    assert names(answer)[0] == "3.png"
    assert answer.json()["images"][0]["similarity"] == pytest.approx(1, abs=1e-3)
    assert answer.json()["query"]["name"] == "3.png"
    assert (
        names(client.get("/api/similar", params={"image": image, "folder": 2, "count": 1}))
        == [name for name in names(answer) if "roofs" in name][:1]
    )


def test_a_file_that_is_sent_finds_its_image(client):
    assert names(sent(client, png(SCENES[4]), count=3))[0] == "4.png"


def test_a_box_asks_for_a_part_of_an_image(client):
    part = sent(client, png(np.ascontiguousarray(SCENES[2][:32, 16:])))
    of_file = sent(client, png(SCENES[2]), box="0.25,0,1,0.5")
    image = references(client)["2.png"]
    of_indexed = client.get("/api/similar", params={"image": image, "box": "0.25,0,1,0.5"})
    assert part.json()["images"] == of_file.json()["images"] == of_indexed.json()["images"]


def test_copies_come_in_groups(client):
    groups = client.get("/api/duplicates").json()["groups"]
    assert ["1.png", "old/copy.png"] in [[image["name"] for image in group] for group in groups]


def test_a_match_is_split_over_both_images(client):
    known = references(client)
    fields = {"image": known["1.png"], "result": known["2.png"]}
    answer = client.get("/api/match", params=fields).json()
    assert answer["missing"] is None
    for side in answer["maps"]:
        assert len(side["values"]) == side["width"] * side["height"]
        assert np.mean(side["values"]) == pytest.approx(answer["similarity"], rel=0.05)
    similar = client.get("/api/similar", params={"image": known["1.png"]}).json()["images"]
    found = {image["name"]: image["similarity"] for image in similar}
    assert answer["similarity"] == pytest.approx(found["2.png"], abs=2e-3)
    of_file = sent(client, png(SCENES[1]), "/api/match", result=known["2.png"]).json()
    assert of_file["similarity"] == pytest.approx(answer["similarity"], abs=1e-5)


def test_what_has_no_places_says_so():
    assert "graph" in reasons_for(None, SCENES[0], SCENES[1]).content["missing"]
    assert "contributions" in reasons_for(object(), SCENES[0], SCENES[1]).missing


@pytest.mark.parametrize(
    ("content", "fields", "status", "message"),
    [
        (b"", {}, 422, "The file is empty"),
        (b"bad", {}, 422, "not an image"),
        (png(SCENES[0])[:300], {}, 422, "damaged or cut off"),
        (b"x" * 3000, {}, 413, "more than"),
        (png(np.zeros((300, 200, 3), np.uint8)), {}, 422, "300 pixels, more than"),
        (png(SCENES[0]), {"box": "0,0,2,1"}, 400, "not inside"),
        (png(SCENES[0]), {"box": "nan,0,1,1"}, 400, "not inside"),
        (png(SCENES[0]), {"box": "here"}, 400, "not a box"),
        (png(SCENES[0]), {"box": "0,0,0.01,0.01"}, 400, "mark more"),
        (png(SCENES[0]), {"folder": "-1"}, 400, "not a number"),
    ],
)
def test_what_cannot_be_searched_for_is_said(client, monkeypatch, content, fields, status, message):
    room = "skdeepenc.search.web"
    most = 2000 if content.startswith(b"x") else 1 << 20
    monkeypatch.setattr(f"{room}.application.LARGEST_UPLOAD", most)
    monkeypatch.setattr(f"{room}.questions.MOST_PIXELS", 50_000)
    answer = sent(client, content, **fields)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert message in answer.json()["error"]


def test_pictures_are_small_and_hold_pixels_alone(place, client_there):
    image = Image.fromarray(np.tile(SCENES[0], (5, 6, 1)))
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    image.save("photos/secret.jpg", exif=exif, comment=b"a secret word")
    ImageIndex.open("index").update("photos")
    answer = client_there.get(f"/small/{references(client_there)['secret.jpg']}")
    assert answer.headers["content-type"] == "image/jpeg"
    assert "immutable" in answer.headers["cache-control"]
    assert b"secret" not in answer.content
    small = Image.open(io.BytesIO(answer.content))
    assert (small.size, dict(small.getexif())) == ((256, 213), {})


def test_an_index_that_changes_is_opened_again(place, client_there):
    before = references(client_there)
    generation = client_there.get("/api/collection").json()["generation"]
    Image.fromarray(SCENES[9]).save("photos/2.png")
    index = ImageIndex.open("index")
    index.update("photos")
    index.remove("photos/5.png")
    after = client_there.get("/api/collection").json()
    assert (after["n_images"], after["generation"] > generation) == (9, True)
    for name in ("2.png", "5.png"):
        answer = client_there.get("/api/similar", params={"image": before[name]})
        assert answer.status_code == 404
        assert client_there.get(f"/small/{before[name]}").status_code == 404
    assert names(sent(client_there, png(SCENES[9])))[0] == "2.png"


def test_an_index_that_is_gone_is_one_message(place, client_there):
    (place / "index").rename(place / "elsewhere")
    answer = client_there.get("/api/collection")
    assert (answer.status_code, "not an index any more" in answer.json()["error"]) == (503, True)
