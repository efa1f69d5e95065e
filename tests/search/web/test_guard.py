"""Who may ask, and what is never served: every way in that a page of this machine has."""

import io
import re

import pytest
from PIL import Image
from search.indexed_scenes import SCENES
from search.web.conftest import ADDRESS, HOSTILE, OWN, references

from skdeepenc.search.web.page_files import PAGE_FILES, page_file


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8765",
        "127.0.0.1",
        "127.0.0.1:80",
        "localhost:8766",
        "",
        "[::2]:8765",
    ],
)
def test_other_hosts_are_refused(client, host):
    for path in ("/", "/api/collection", "/nothing"):
        assert client.get(path, headers={"host": host}).status_code == 421


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8765", "localhost:8765", "LOCALHOST:8765", "[::1]:8765"]
)
def test_names_of_this_machine_are_answered(client, host):
    assert client.get("/", headers={"host": host}).status_code == 200


def test_two_hosts_are_refused(client):
    headers = [("host", "127.0.0.1:8765"), ("host", "evil.example")]
    assert client.get("/", headers=headers).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null"},
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:8000"},
        {"origin": "https://127.0.0.1:8765"},
        {"origin": "http://localhost:8765"},  # the host says 127.0.0.1
        {"origin": ADDRESS, "sec-fetch-site": "cross-site"},
    ],
)
def test_posts_of_other_pages_are_refused(client, headers):
    answer = client.post("/api/similar", content=b"bad", headers=headers)
    assert answer.status_code == 403
    assert client.post("/api/similar", content=b"bad", headers=OWN).status_code == 422


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_pages_show_none_of_the_images(client, site):
    path = f"/small/{references(client)['1.png']}"
    assert client.get(path, headers={"sec-fetch-site": site}).status_code == 403
    assert client.get(path, headers={"origin": "http://evil.example"}).status_code == 403
    assert client.get(path, headers={"sec-fetch-site": "same-origin"}).status_code == 200


def test_a_link_to_the_page_may_be_followed(client):
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/", headers={**link, "sec-fetch-dest": "document"}).status_code == 200
    assert client.get("/", headers={**link, "sec-fetch-dest": "iframe"}).status_code == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_is_there_to_be_changed(client, method):
    assert client.request(method, "/api/images", headers=OWN).status_code == 405


@pytest.mark.parametrize("path", ["/", "/page.js", "/api/collection", "/nothing", "/small/0-0"])
@pytest.mark.parametrize("host", ["127.0.0.1:8765", "evil.example"])
def test_every_answer_keeps_to_itself(client, path, host):
    headers = client.get(path, headers={"host": host}).headers
    assert headers["content-security-policy"].startswith("default-src 'self';")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    "path",
    [
        *("/photos/1.png", "/index/index.json", "/static/", "/small/", "/api/", "/api"),
        *("/small/photos%2f1.png", "/small/..%2f..%2findex.json", "/large/%2e%2e/index.json"),
        *("/../index.json", "/..%2findex.json", "//etc/passwd", "/page.js/..%2fguard.py"),
        *("/small/0", "/small/-1-0", "/small/0-", "/small/99999999999999-0", "/small/0-*"),
    ],
)
def test_nothing_but_the_page_and_the_images_is_served(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert len(answer.content) < 200


@pytest.mark.parametrize("change", ["link", "file", "folder", "gone"])
def test_what_is_not_the_indexed_content_is_not_served(place, client_there, change):
    reference = references(client_there)["0.png"]
    path = place / "photos" / "0.png"
    Image.fromarray(SCENES[11]).save(place / "private.png")
    path.unlink()
    if change == "link":
        path.symlink_to(place / "private.png")
    elif change == "file":
        (place / "private.png").rename(path)
    elif change == "folder":
        path.mkdir()
    for size in ("small", "large"):
        answer = client_there.get(f"/{size}/{reference}")
        assert (answer.status_code, list(answer.json())) == (422, ["error"])
    assert client_there.get(f"/api/similar?image={reference}&box=0,0,1,1").status_code == 422


def test_a_link_to_the_indexed_content_is_served(place, client_there):
    reference = references(client_there)["0.png"]
    path = (place / "photos" / "0.png").rename(place / "moved.png")
    (place / "photos" / "0.png").symlink_to(path)
    answer = client_there.get(f"/small/{reference}")
    assert Image.open(io.BytesIO(answer.content)).size == (64, 64)


def test_hostile_names_travel_as_text(client):
    answer = client.get("/api/images")
    assert answer.headers["content-type"] == "application/json"
    assert HOSTILE in references(client)
    assert client.get(f"/small/{references(client)[HOSTILE]}").status_code == 200


def test_the_page_never_makes_html_of_text():
    scripts = ["published.js", *(name for name in PAGE_FILES if name.endswith(".js"))]
    ways = (
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function|setAttribute\(\"on"
    )
    assert [name for name in scripts if re.search(ways, page_file(name))] == []


@pytest.mark.parametrize("name", PAGE_FILES)
def test_the_page_refers_to_nothing_elsewhere(client, name):
    assert client.get(f"/{name}").text == page_file(name)
    addresses = re.findall(r"\bhttps?://[^\s\"']+|[\"']//[^\"']+", page_file(name))
    assert set(addresses) <= {"http://www.w3.org/2000/svg"}
    assert " style=" not in page_file(name)
