"""Models are fetched from a server on the loopback address, and believed only by their digest."""

import functools
import hashlib
import http.server
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from skdeepenc.backbones import Backbone, ModelSpec, fetch_model, list_models
from skdeepenc.backbones.describing.catalogue import described, locate
from skdeepenc.backbones.describing.hub import parse_hub_name
from skdeepenc.exceptions import DownloadError, ModelError


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, counts, and says nothing."""

    requests: list = []

    def do_GET(self):
        self.requests.append(self.path)
        super().do_GET()

    def log_message(self, *arguments):
        """Keep the test's output clean."""


@pytest.fixture
def server(tmp_path):
    """Serve a folder on the loopback address; yield the folder, the address and the requests."""
    folder = tmp_path / "served"
    folder.mkdir()
    QuietHandler.requests = []
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{running.server_port}", QuietHandler.requests
        running.shutdown()
        thread.join()


@pytest.fixture
def served_spec(server, tiny_network):
    folder, address, _ = server
    content = tiny_network.SerializeToString()
    (folder / "tiny.onnx").write_bytes(content)
    return ModelSpec(
        "tiny",
        ("relu2",),
        16,
        source=f"{address}/tiny.onnx",
        sha256=hashlib.sha256(content).hexdigest(),
    )


def test_a_model_is_fetched_once(served_spec, server, tmp_path, pixels):
    requests = server[2]
    path = fetch_model(served_spec, tmp_path / "cache")
    assert fetch_model(served_spec, tmp_path / "cache") == path
    assert len(requests) == 1
    assert Backbone(path, spec=served_spec).run(pixels(1, 16, 16))["relu2"].shape == (1, 6, 6, 5)


def test_a_tampered_download_is_refused_and_not_kept(served_spec, server, tmp_path):
    target = server[0] / "tiny.onnx"
    target.write_bytes(target.read_bytes()[:-1] + b"!")
    with pytest.raises(DownloadError, match="given by its path"):
        fetch_model(served_spec, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_a_tampered_cache_is_refused(served_spec, tmp_path):
    path = Path(fetch_model(served_spec, tmp_path / "cache"))
    path.write_bytes(path.read_bytes()[:100])
    good = served_spec.sha256
    assert (
        hashlib.sha256(Path(fetch_model(served_spec, path.parent)).read_bytes()).hexdigest() == good
    )


def test_no_network_is_said(tmp_path):
    spec = ModelSpec("none", (), 16, source="http://127.0.0.1:9/none.onnx", sha256="0" * 64)
    with pytest.raises(DownloadError, match=r"none could not be fetched from http://127\.0\.0\.1"):
        fetch_model(spec, tmp_path)


@pytest.mark.parametrize(
    "name", ["../outside", "a/b", "a\\b", "/tmp/x", ".hidden", "", "x" * 101, "a:b", "a\nb"]
)
def test_a_name_never_leads_out_of_the_folder(served_spec, server, tmp_path, name):
    with pytest.raises(ModelError, match="cannot name a file"):
        fetch_model(replace(served_spec, name=name), tmp_path / "cache" / "inner")
    assert not (tmp_path / "cache").exists()
    assert not server[2]


@pytest.mark.parametrize("sha256", [None, "", "0" * 63, "z" * 64])
def test_nothing_is_fetched_that_cannot_be_verified(served_spec, server, tmp_path, sha256):
    with pytest.raises(ModelError, match="no SHA-256 digest"):
        fetch_model(replace(served_spec, sha256=sha256), tmp_path)
    assert not server[2]


@pytest.mark.parametrize(
    "source", [None, "", "http://example.org/x.onnx", "ftp://127.0.0.1/x", "file:///etc/passwd"]
)
def test_only_encrypted_sources_are_fetched_from(served_spec, tmp_path, source):
    with pytest.raises(ModelError, match="https://"):
        fetch_model(replace(served_spec, source=source), tmp_path)


def test_a_local_path_needs_no_network(tiny_network, tmp_path, monkeypatch):
    """Even under a name of the catalogue."""
    name = next(iter(list_models()))
    (tmp_path / name).write_bytes(tiny_network.SerializeToString())
    monkeypatch.chdir(tmp_path)
    assert locate(name) == name


def test_a_file_of_the_catalogue_is_known_by_its_digest(monkeypatch, tiny_network):
    content = tiny_network.SerializeToString()
    spec = ModelSpec("tiny", ("relu1",), 16, sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(
        "skdeepenc.backbones.describing.catalogue.list_models", lambda: {"tiny": spec}
    )
    assert Backbone(content).spec == spec
    assert Backbone(content).layers == ("relu1",)


def test_unknown_names_get_the_nearest():
    with pytest.raises(ModelError, match=r"nearest: .*squeezenet1\.1-7.*skdeepenc models"):
        locate("squeezenet")


@pytest.mark.parametrize("name", sorted(list_models()))
def test_entries_are_whole(name):
    """A digest and where it is fetched; or a name on the hub; or a page with terms of its own."""
    spec = list_models()[name]
    assert spec.licence
    if spec.sha256 is not None:
        assert len(bytes.fromhex(spec.sha256)) == 32
        assert spec.source.startswith("https://")
        assert described(spec.sha256) is spec
    elif spec.source.startswith("hf://"):
        assert parse_hub_name(spec.source).path is None
    else:
        assert spec.source.startswith("https://huggingface.co/")
        assert "License" in spec.licence


def test_terms_of_their_own_are_never_accepted_for_anybody():
    with pytest.raises(ModelError, match=r"terms of its own.*read them at https://"):
        locate("dinov3-vit-small-patch16")


def test_a_name_may_stand_for_one_on_the_hub(monkeypatch, tiny_network, tmp_path):
    """Where no file beside the model says how its images are made, the catalogue does."""
    path = tmp_path / "repository" / "onnx" / "model.onnx"
    path.parent.mkdir(parents=True)
    path.write_bytes(tiny_network.SerializeToString())
    asked = []
    monkeypatch.setattr(
        "skdeepenc.backbones.describing.catalogue.fetch_from_hub",
        lambda name: asked.append(name) or str(path),
    )
    backbone = Backbone("convnext-tiny-224", layers="relu2")
    assert backbone.spec == list_models()["convnext-tiny-224"]
    assert asked == ["hf://Xenova/convnext-tiny-224"]
    (path.parents[1] / "preprocessor_config.json").write_text('{"size": 16}')
    assert Backbone("convnext-tiny-224", layers="relu2").spec.input_size == 16
