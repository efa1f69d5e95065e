"""An index as a site: what becomes public, what is replaced, and what never is."""

import io
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from search.indexed_scenes import SCENES
from search.web.conftest import HOSTILE
from test_cli import fail

from skdeepenc.cli import main
from skdeepenc.exceptions import ExportError, StorageError
from skdeepenc.search import ImageIndex, publish
from skdeepenc.search.web import codes, runtime
from skdeepenc.search.web.page_files import PAGE_FILES, page_file

pytest.importorskip("pyarrow")
RUNTIME_FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """Return a folder with files of the names of onnxruntime-web."""
    folder = tmp_path_factory.mktemp("onnxruntime-web")
    (folder / "dist").mkdir()
    for name in RUNTIME_FILES:
        (folder / "dist" / name).write_bytes(name.encode())
    return folder


@pytest.fixture(scope="module")
def published(indexed, package, tmp_path_factory):
    """Return a site, in a folder of its own."""
    site = tmp_path_factory.mktemp("published") / "site"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(indexed)
        summary = publish("index", site, runtime=package, title="<b>Roofs</b>")
    assert (summary.n_images, summary.left_out) == (10, {})
    assert summary.n_bytes == sum(p.stat().st_size for p in site.rglob("*") if p.is_file())
    return site


@pytest.fixture
def quick(monkeypatch):
    """Leave out the export, which takes longest."""
    write = "skdeepenc.search.web.publishing._write_encoder"
    monkeypatch.setattr(write, lambda collection, pictures, path: path.write_bytes(b"graph"))


def read(site, name):
    return json.loads((site / name).read_text(encoding="utf-8"))


def test_images_are_listed_by_their_names(published):
    description, listing = read(published, "site.json"), read(published, "images/0.json")
    assert (description["title"], description["n_images"]) == ("<b>Roofs</b>", 10)
    assert [image["ref"] for image in listing] == [str(place) for place in range(10)]
    assert HOSTILE in [image["name"] for image in listing]
    for folder in description["folders"]:
        begin = f"{folder['name']}/" if folder["name"] else ""
        here = listing[folder["first"] :][: folder["count"]]
        assert here == [image for image in listing if image["name"].startswith(begin)]


def test_vectors_are_those_of_the_index_but_for_a_byte_per_value(published, indexed):
    description, listing = read(published, "site.json"), read(published, "images/0.json")
    content = (published / "vectors" / "0.bin").read_bytes()
    scales = np.frombuffer(content[:40], "<f4")
    values = np.frombuffer(content[40:], np.int8).reshape(10, description["n_features"])
    vectors = scales[:, None] * values
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=0.01)
    names = [image["name"] for image in listing]
    found = ImageIndex.open(indexed / "index").search([SCENES[3]], n_neighbors=10)
    cosines = vectors @ vectors[names.index("3.png")]
    expected = {
        name.removeprefix("photos/"): similarity
        for name, similarity in zip(found["image"], found["similarity"], strict=True)
    }
    np.testing.assert_allclose(cosines, [expected[name] for name in names], atol=0.01)


def test_pictures_are_small_and_copies_are_known(published):
    listing = read(published, "images/0.json")
    for image in listing:
        with Image.open(published / "small" / "0" / f"{image['ref']}.jpg") as small:
            assert (small.format, small.size) == ("JPEG", (64, 64))
    groups = read(published, "duplicates.json")["groups"]
    assert ["1.png", "old/copy.png"] in [[image["name"] for image in group] for group in groups]
    assert listing[int(groups[0][0]["ref"])]["name"] == groups[0][0]["name"]


def test_the_page_is_the_one_that_is_served(published):
    for name in set(PAGE_FILES) - {"index.html", "source.js"}:
        assert (published / name).read_text(encoding="utf-8") == page_file(name)
    assert (published / "source.js").read_text(encoding="utf-8") == page_file("published.js")
    exported = re.compile(r"export (?:async )?(?:const|function) (\w+)")
    here, there = (set(exported.findall(page_file(f"{n}.js"))) for n in ("source", "published"))
    assert here == there
    page = (published / "index.html").read_text(encoding="utf-8")
    assert "<title>&lt;b&gt;Roofs&lt;/b&gt;</title>" in page
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy.startswith("default-src 'self';")
    assert "http" not in policy
    assert re.sub(r"\n.*Content-Security-Policy.*|<b>Roofs</b>", "", page).count("\n") == page_file(
        "index.html"
    ).count("\n")


def test_without_files_of_its_own_a_site_refers_to_one_version_by_its_digests(
    place, quick, tmp_path
):
    publish("index", tmp_path / "site")
    for origin in read(tmp_path / "site", "site.json")["runtime"].values():
        assert origin["address"].startswith(
            f"https://cdn.jsdelivr.net/npm/onnxruntime-web@{runtime.VERSION}/"
        )
        assert re.fullmatch(r"sha384-[A-Za-z0-9+/]{64}", origin["integrity"])
    page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "connect-src 'self' https://cdn.jsdelivr.net;" in page


def test_a_graph_is_published_as_it_is(place, published, package, tmp_path):
    index = ImageIndex.build(published / "encoder.onnx", "photos", tmp_path / "of graph")
    publish(index, tmp_path / "site", runtime=package / "dist")
    encoder = (published / "encoder.onnx").read_bytes()
    assert (tmp_path / "site" / "encoder.onnx").read_bytes() == encoder
    assert len(encoder) < 16e6  # the network, once


def test_what_is_not_the_indexed_content_is_left_out(place, quick, tmp_path):
    Image.fromarray(SCENES[11]).save(place / "photos" / "0.png")
    (place / "photos" / "old" / "copy.png").unlink()
    summary = publish("index", tmp_path / "site")
    assert summary.n_images == 8
    assert list(summary.left_out) == ["photos/0.png", "photos/old/copy.png"]
    assert "changed since it was indexed" in summary.left_out["photos/0.png"]
    assert len(read(tmp_path / "site", "images/0.json")) == 8
    names = [image["name"] for image in read(tmp_path / "site", "images/0.json")]
    assert "0.png" not in names
    assert not [g for g in read(tmp_path / "site", "duplicates.json")["groups"] if len(g) < 2]


def test_a_site_is_replaced_and_nothing_else(place, quick, capsys):
    site = place / "site"
    words = ["publish", "index", "site", "--title", "Roofs"]
    site.mkdir()
    assert main(words) == 0
    assert capsys.readouterr().out.startswith("site: 10 images, 0 left out, ")
    ImageIndex.open("index").remove("photos/5.png")
    assert main(words) == 0
    assert read(site, "site.json")["n_images"] == 9
    assert not (site / "small" / "0" / "9.jpg").exists()
    (site / "CNAME").write_text("roofs.example")
    assert "such as CNAME" in fail(words, capsys)
    assert "such as 0.png" in fail(["publish", "index", "photos"], capsys)
    assert "is a file" in fail(["publish", "index", "index/index.json"], capsys)
    assert "such as encoder.skops" in fail(["publish", "index", "index"], capsys)
    assert (site / "CNAME").exists()


@pytest.mark.parametrize("failure", [OSError("the disk is full"), ExportError("no graph")])
def test_what_fails_leaves_the_site_as_it_was(place, published, monkeypatch, failure):
    def fails(*arguments):
        raise failure

    shutil.copytree(published, "site")
    monkeypatch.setattr("skdeepenc.search.web.publishing._write_encoder", fails)
    with pytest.raises((StorageError, ExportError), match=str(failure)):
        publish("index", "site")
    assert read(place / "site", "site.json") == read(published, "site.json")
    assert sorted(path.name for path in place.iterdir()) == ["index", "photos", "site"]


def test_what_is_not_onnxruntime_web_is_named(place, quick, tmp_path):
    with pytest.raises(ExportError, match=r"has no ort\.wasm\.bundle\.min\.mjs"):
        publish("index", tmp_path / "site", runtime=tmp_path)
    assert not (tmp_path / "site").exists()


def test_an_index_without_images_is_a_site_without_images(place, quick, tmp_path):
    index = ImageIndex.open("index")
    index.remove(index.images)
    assert publish(index, tmp_path / "site").n_images == 0


def test_codes_are_within_half_a_step():
    vectors = np.random.default_rng(0).standard_normal((7, 33)).astype(np.float32)
    vectors[2] = 0
    scales, values = codes.as_codes(vectors)
    assert np.all(np.abs(scales[:, None] * values - vectors) <= scales[:, None] / 2 + 1e-6)


def test_a_comment_of_a_file_is_not_published(place, quick, tmp_path):
    file = io.BytesIO()
    Image.fromarray(SCENES[9]).save(file, "JPEG", comment=b"a secret word")
    (place / "photos" / "secret.jpg").write_bytes(file.getvalue())
    ImageIndex.open("index").update("photos")
    publish("index", tmp_path / "site")
    contents = [path.read_bytes() for path in (tmp_path / "site" / "small").rglob("*.jpg")]
    assert len(contents) == 11
    assert not any(b"secret" in content for content in contents)
