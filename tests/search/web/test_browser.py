"""The page in a browser, served and published: by mouse, by keys, on a phone.

A published site wants onnxruntime-web: ``SKDEEPENC_NODE_MODULES`` names a folder in which
``npm install onnxruntime-web`` made it.
"""

import json
import os
import subprocess
import sys
from contextlib import chdir, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from PIL import Image
from search.indexed_scenes import SCENES
from search.web.chromium import find_chromium, opened
from search.web.conftest import HOSTILE

from skdeepenc.search import ImageIndex, publish
from skdeepenc.search.web import runtime

pytestmark = pytest.mark.web
SHOWN = "document.querySelectorAll('#grid .tile:not([hidden]) .open:not([title=\"\"])')"
ASKED = "document.querySelector('#asked-name').textContent"


@contextmanager
def browsed(indexed):
    """Serve the page as a user does; yield its address."""
    words = [sys.executable, "-m", "skdeepenc", "browse", "index", "--no-open", "--port", "0"]
    with subprocess.Popen(words, cwd=indexed, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().split()[0]
        process.terminate()


class Files(SimpleHTTPRequestHandler):
    """Serves files to pages of any origin, as hosts of npm packages do."""

    def end_headers(self):
        self.send_header("access-control-allow-origin", "*")
        super().end_headers()

    def log_message(self, *arguments):
        """Say nothing."""


@contextmanager
def hosted(folder):
    """Serve a folder; yield its address."""
    handler = partial(Files, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def onnxruntime_web():
    modules = os.environ.get("SKDEEPENC_NODE_MODULES")
    if not modules or not (Path(modules) / "onnxruntime-web").is_dir():
        pytest.skip("SKDEEPENC_NODE_MODULES names no folder with onnxruntime-web")
    return Path(modules) / "onnxruntime-web"


@pytest.fixture(scope="module", params=["served", "published"])
def address(request, indexed, tmp_path_factory):
    """Return where the page is."""
    if find_chromium() is None:
        pytest.skip("Chromium is not installed")
    if request.param == "served":
        with browsed(indexed) as address:
            yield address
        return
    site = tmp_path_factory.mktemp("published") / "site"
    with chdir(indexed):
        publish("index", site, runtime=request.getfixturevalue("onnxruntime_web"))
    with hosted(site) as address:
        yield address


@pytest.fixture
def tab(address, tmp_path):
    with opened(tmp_path, address) as tab:
        tab.wait(f"{SHOWN}.length == 10")
        yield tab
        elsewhere = [
            url for url in tab.requests if not url.startswith((address, f"blob:{address}"))
        ]
        assert (elsewhere, tab.complaints) == ([], [])


def first(tab):
    """Return the name of the image that is shown first."""
    tile = "#grid .tile:not([hidden])[aria-posinset='1']"
    return tab.run(f'document.querySelector("{tile} .open").title')


def wait_for_results(tab, what):
    tab.wait(f"document.querySelector('#summary').textContent.includes('most like {what}')")


def test_an_image_is_dropped_a_part_marked_and_a_result_chosen(tab, tmp_path):
    Image.fromarray(SCENES[3]).save(tmp_path / "mine.png")
    tab.drop(tmp_path / "mine.png")
    wait_for_results(tab, "this one")
    assert (first(tab), tab.run(ASKED)) == ("3.png", "mine.png")
    tab.drag("#frame", (0.1, 0.1), (0.8, 0.9))
    wait_for_results(tab, "this part")
    assert "box=0.1" in tab.run("location.hash")
    tab.click("#grid .tile:not([hidden]) .open")
    wait_for_results(tab, "this one")
    assert tab.run(ASKED) == first(tab) != "mine.png"
    tab.run("history.go(-2)")
    tab.wait(f"{ASKED} == 'mine.png' && document.querySelector('#box').hidden")
    wait_for_results(tab, "this one")


@pytest.mark.parametrize("address", ["served"], indirect=True)
def test_why_two_images_match_is_drawn_over_both(tab):
    tab.click("#grid .tile:not([hidden]) .open")
    wait_for_results(tab, "this one")
    tab.click(".tile:not([hidden]) .why")
    tab.wait("document.querySelector('#reasons-text').textContent.startsWith('Similarity 1.00')")
    coloured = (
        "(() => { const {width, height} = document.querySelector('#reasons-{side}');"
        "const {data} = document.querySelector('#reasons-{side}').getContext('2d')"
        ".getImageData(0, 0, width, height);"
        "return data.some((value, at) => at % 4 == 0 && value > data[at + 2] + 40) })()"
    )
    for side in ("query", "result"):
        assert tab.run(coloured.replace("{side}", side))
    name = tab.run("document.querySelector('#reasons-name').textContent")
    tab.press("ArrowRight")
    tab.wait(f"document.querySelector('#reasons-name').textContent != '{name}'")
    tab.press("Escape")
    tab.wait("!document.querySelector('#reasons').open")


def test_all_of_it_goes_with_keys(tab):
    tab.run("document.querySelector('#grid .open[tabindex=\"0\"]').focus()")
    tab.press("ArrowRight")
    name = tab.run("document.activeElement.title")
    assert name == "1.png"
    tab.press("Enter")
    wait_for_results(tab, "this one")
    assert tab.run(ASKED) == first(tab) == name
    assert tab.run("document.activeElement.title") == name  # keys go on from the first result
    tab.run("document.querySelector('#mark').focus()")
    tab.press("Enter")
    assert tab.run("document.activeElement.id") == "box"
    tab.press("ArrowLeft")
    tab.press("ArrowRight", shift=True)
    tab.press("Enter")
    wait_for_results(tab, "this part")
    assert "box=0.2300%2C0.2500%2C0.7500%2C0.7500" in tab.run("location.hash")
    tab.press("Escape")
    wait_for_results(tab, "this one")


def test_copies_are_listed_and_folders_filter(tab):
    tab.click("#to-duplicates")
    tab.wait("document.querySelectorAll('.group').length")
    assert "old/copy.png" in tab.run("document.querySelector('.group').innerText")
    tab.click("#to-all")
    tab.wait(f"{SHOWN}.length == 10")
    tab.run(
        "const list = document.querySelector('#folder');"
        "list.value = 2; list.onchange({target: list})"
    )
    tab.wait(f"{SHOWN}.length == 2")
    tab.click("#grid .tile:not([hidden]) .open")
    tab.wait(
        "document.querySelector('#summary').textContent.includes('2 images in old/roofs most')"
    )


def test_bad_files_are_one_message(tab, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"bad")
    tab.drop(tmp_path / "bad.png")
    tab.wait("document.querySelector('#message').innerText.includes('not an image')")
    tab.click("#message button")
    assert tab.run("document.querySelector('#message').hidden")
    tab.complaints.clear()  # the browser complains of the refusal, and of the image


def test_hostile_names_are_shown_as_text(tab):
    names = tab.run(f"[...{SHOWN}].map((open) => open.querySelector('.name').textContent)")
    assert HOSTILE in names
    assert tab.run("document.querySelectorAll('#grid .name *').length") == 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(address, tmp_path, dark):
    with opened(tmp_path, address, width=390, height=844, dark=dark) as tab:
        tab.wait(f"{SHOWN}.length == 10")
        for step in (f"{SHOWN}[0].click()", "document.querySelector('.why').click()"):
            tab.run(step)
            wait_for_results(tab, "this one")
            assert tab.run("document.documentElement.scrollWidth") == 390
        tab.wait("document.querySelector('#reasons').open")
        red = tab.run("getComputedStyle(document.documentElement).backgroundColor")
        assert (int(red.split("(")[1].split(",")[0]) < 128) == dark


@pytest.mark.parametrize("address", ["published"], indirect=True)
def test_a_site_finds_what_the_index_finds(tab, indexed, tmp_path):
    Image.fromarray(SCENES[10]).save(tmp_path / "new.png")
    tab.drop(tmp_path / "new.png")
    wait_for_results(tab, "this one")
    shown = tab.run(
        "[...document.querySelectorAll('#grid .tile:not([hidden])')].map((tile) => "
        "[tile.querySelector('.open').title, tile.querySelector('.number').innerText])"
    )
    found = ImageIndex.open(indexed / "index").search([SCENES[10]])
    for name, similarity in zip(found["image"], found["similarity"], strict=True):
        assert float(dict(shown)[name.removeprefix("photos/")]) == pytest.approx(
            similarity, abs=0.02
        )
    tab.run("document.querySelector('.why').click()")
    tab.wait("document.querySelector('#reasons-text').textContent.includes('cannot be said')")


def test_a_site_may_load_onnxruntime_web_from_a_host_that_is_checked(
    indexed, onnxruntime_web, tmp_path, monkeypatch
):
    version = json.loads((onnxruntime_web / "package.json").read_text())["version"]
    if version != runtime.VERSION:
        pytest.skip(f"onnxruntime-web {version} is installed, not {runtime.VERSION}")
    monkeypatch.chdir(indexed)
    place = tmp_path / "host" / "npm" / f"onnxruntime-web@{version}"
    place.parent.mkdir(parents=True)
    place.symlink_to(onnxruntime_web)
    Image.fromarray(SCENES[3]).save(tmp_path / "mine.png")
    with hosted(tmp_path / "host") as host, hosted(tmp_path / "site") as address:
        monkeypatch.setattr(runtime, "HOST", host.rstrip("/"))
        publish("index", tmp_path / "site")
        with opened(tmp_path / "profile", address) as tab:
            tab.wait(f"{SHOWN}.length == 10")
            tab.drop(tmp_path / "mine.png")
            wait_for_results(tab, "this one")
            assert (first(tab), tab.complaints) == ("3.png", [])
            assert {url.split("/npm/")[0] for url in tab.requests if "/npm/" in url} == {host[:-1]}
        monkeypatch.setitem(runtime._DIGESTS, "binary", runtime._DIGESTS["script"])
        publish("index", tmp_path / "site")
        with opened(tmp_path / "profile", address) as tab:
            tab.wait(f"{SHOWN}.length == 10")
            tab.drop(tmp_path / "mine.png")
            tab.wait("document.querySelector('#message').innerText.includes('cannot be loaded')")
