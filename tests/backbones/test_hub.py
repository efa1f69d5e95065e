"""Models are fetched from a small hub on the loopback address, once, and only as data."""

import hashlib
import http.server
import json
import sys
import threading
from pathlib import Path

import onnx
import pytest
from onnx.external_data_helper import set_external_data

from skdeepenc.backbones import Backbone
from skdeepenc.backbones.describing import hub
from skdeepenc.backbones.describing.hub import choose_file, fetch_from_hub, parse_hub_name
from skdeepenc.exceptions import DownloadError, MissingDependencyError, ModelError
from skdeepenc.images import Preprocessing

pytest.importorskip("huggingface_hub")

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PREPROCESSOR = {"size": {"height": 16, "width": 16}, "image_mean": [0.5], "image_std": [0.25]}


class Hub(http.server.BaseHTTPRequestHandler):
    """A hub of one repository, "owner/name", at the revision "main"."""

    files: dict = {}
    requests: list = []

    def do_HEAD(self):
        self._answer()

    def do_GET(self):
        self.requests.append(self.path)
        self._answer()

    def _answer(self):
        if self.path.startswith("/api/models/owner/name"):
            siblings = [{"rfilename": name} for name in self.files]
            listing = {"id": "owner/name", "sha": COMMIT, "siblings": siblings}
            return self._send(200, json.dumps(listing).encode())
        for revision in ("main", COMMIT):
            start = f"/owner/name/resolve/{revision}/"
            if self.path.startswith(start):
                content = self.files.get(self.path.removeprefix(start))
                if content is None:
                    return self._send(404, b"", "EntryNotFound")
                return self._send(200, content)
        return self._send(404, b"", "RepoNotFound")

    def _send(self, status, content, error=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        if error:
            self.send_header("X-Error-Code", error)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *arguments):
        """Keep the test's output clean."""


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Run a hub; return the class that holds its files and the requests."""
    Hub.files, Hub.requests = {}, []
    monkeypatch.setattr(hub, "_FOUND", {})
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.utils.tqdm.disable", True, raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{running.server_port}")
        yield Hub
        running.shutdown()
        thread.join()


@pytest.fixture
def tiny(served, tiny_network):
    served.files["onnx/model.onnx"] = tiny_network.SerializeToString()
    served.files["onnx/model_fp16.onnx"] = b"another"
    served.files["preprocessor_config.json"] = json.dumps(PREPROCESSOR).encode()
    served.files["pytorch_model.bin"] = b"never fetched"
    return served


def test_a_model_comes_with_its_preprocessor_and_nothing_else(tiny, pixels):
    backbone = Backbone("hf://owner/name", layers="relu2")
    assert backbone.spec.preprocessing.mean == (0.5, 0.5, 0.5)
    assert backbone.spec.input_size == 16
    assert backbone.run(pixels(1, 16, 16))["relu2"].shape == (1, 6, 6, 5)
    fetched = {path.rpartition("/")[2] for path in tiny.requests if "/resolve/" in path}
    assert fetched == {"model.onnx", "preprocessor_config.json"}


def test_a_model_is_fetched_once(tiny, monkeypatch):
    path = fetch_from_hub("hf://owner/name")
    n_requests = len(tiny.requests)
    assert fetch_from_hub("hf://owner/name") == path
    assert len(tiny.requests) == n_requests
    monkeypatch.setattr(hub, "_FOUND", {})  # as another process would
    assert fetch_from_hub("hf://owner/name/onnx/model.onnx") == path
    assert not any("/resolve/" in request for request in tiny.requests[n_requests:])


def test_what_was_fetched_serves_offline(tiny, monkeypatch):
    path = fetch_from_hub("hf://owner/name")
    monkeypatch.setattr(hub, "_FOUND", {})
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    tiny.requests.clear()
    assert fetch_from_hub("hf://owner/name") == path
    assert not tiny.requests


@pytest.mark.parametrize("name", ["hf://owner/name", "hf://owner/name/onnx/model.onnx"])
def test_what_was_fetched_serves_while_the_hub_is_down(tiny, monkeypatch, name):
    path = fetch_from_hub(name)
    monkeypatch.setattr(hub, "_FOUND", {})
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert fetch_from_hub(name) == path
    with pytest.raises(DownloadError, match=r"not in the cache, and the hub cannot be reached: .+"):
        fetch_from_hub("hf://owner/other")


def test_timms_configuration_comes_where_there_is_no_preprocessor(tiny):
    del tiny.files["preprocessor_config.json"]
    timm = {"architecture": "tiny", "pretrained_cfg": {"input_size": [3, 18, 18]}}
    tiny.files["config.json"] = json.dumps(timm).encode()
    assert Backbone("hf://owner/name", layers="relu2").spec.input_size == 18


def test_offline_and_not_in_the_cache_is_said(served, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("hf://owner/name", "hf://owner/name/model.onnx"):
        with pytest.raises(DownloadError, match=r"not in the cache.*HF_HUB_OFFLINE"):
            fetch_from_hub(name)
    assert not served.requests


def test_weights_beside_the_model_come_along(served, tiny_network, tmp_path, pixels):
    onnx.save_model(  # which changes what it saves
        onnx.ModelProto.FromString(tiny_network.SerializeToString()),
        tmp_path / "model.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    for name in ("model.onnx", "weights.bin"):
        served.files[f"onnx/{name}"] = (tmp_path / name).read_bytes()
    fetched = Path(fetch_from_hub("hf://owner/name"))
    weights = fetched.with_name("weights.bin")
    assert weights.read_bytes() == served.files["onnx/weights.bin"]
    maps = Backbone("hf://owner/name", layers="relu2", preprocessing=Preprocessing())
    whole = Backbone(
        tiny_network.SerializeToString(), layers="relu2", preprocessing=Preprocessing()
    )
    images = pixels(1, 16, 16)
    assert (maps.run(images)["relu2"] == whole.run(images)["relu2"]).all()


def test_weights_elsewhere_are_never_fetched(served, tiny_network):
    model = onnx.ModelProto.FromString(tiny_network.SerializeToString())
    for tensor, location in zip(model.graph.initializer, ["../up", "/etc/passwd"], strict=False):
        set_external_data(tensor, location)
    served.files["onnx/model.onnx"] = model.SerializeToString()
    served.files["up"] = b"not for this model"
    fetch_from_hub("hf://owner/name")
    assert not any(path.endswith(("up", "passwd")) for path in served.requests)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("hf://owner/other", "no such repository"),
        ("hf://owner/name/absent.onnx", "no such file"),
        ("hf://owner/name/sub", "no ONNX file"),
    ],
)
def test_what_is_not_there_is_one_clear_error(tiny, name, reason):
    with pytest.raises((DownloadError, ModelError), match=reason) as caught:
        fetch_from_hub(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["hf://", "hf://owner", "hf://a/b@../x", "hf://a/b@..%2Fx", "hf://a/b/../c.onnx", "hf:///a/b"],
)
def test_names_that_are_none_are_refused(name):
    with pytest.raises(ModelError, match="not a name on the hub"):
        parse_hub_name(name)


def test_a_revision_with_slashes_is_quoted():
    name = parse_hub_name("hf://owner/name@refs%2Fpr%2F1")
    assert name.revision == "refs/pr/1"
    assert str(name) == "hf://owner/name@refs%2Fpr%2F1"


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        (["model.onnx", "onnx/model.onnx", "onnx/model_int8.onnx"], "onnx/model.onnx"),
        (["model.onnx", "model_quantized.onnx"], "model.onnx"),
        (["onnx/model.onnx", "onnx/vision_model.onnx"], "onnx/vision_model.onnx"),
        (["deep/inside/net.onnx", "net.bin"], "deep/inside/net.onnx"),
    ],
)
def test_the_whole_unquantised_model_is_chosen(files, chosen):
    assert choose_file(files, parse_hub_name("hf://owner/name")) == chosen


def test_an_ambiguous_repository_lists_its_models():
    with pytest.raises(ModelError, match=r"hf://owner/name/a\.onnx: a\.onnx, b\.onnx"):
        choose_file(["b.onnx", "a.onnx"], parse_hub_name("hf://owner/name"))


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingDependencyError, match=r"\.\[hub\]"):
        fetch_from_hub("hf://owner/name")
