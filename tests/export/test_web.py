"""One exported file gives the same by onnxruntime, in node and in a browser.

``SKDEEPENC_NODE_MODULES`` names a folder in which ``npm install onnxruntime-web`` made
``onnxruntime-web``; the browser is Chromium, where there is one.
"""

import json
import os
import queue
import shutil
import subprocess
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from skdeepenc import ActivationExtractor, GlobalPooler, MOPVLADEncoder, Pyramid, Whole
from skdeepenc.backbones.running.session import Graph, open_apart, run_feeds
from skdeepenc.datasets import make_scenes
from skdeepenc.export import to_onnx

pytestmark = pytest.mark.web
PAGES = Path(__file__).parent / "web"
BROWSERS = "chromium", "chromium-browser", "google-chrome"
SECONDS = 120
PIPELINES = {
    "classifier": (Whole(64, decoding="full"), GlobalPooler(method="rmac"), LinearSVC()),
    "pyramid": (
        Pyramid(n_scales=2, aspect="keep", decoding="full"),
        MOPVLADEncoder(n_clusters=3, n_components=4, random_state=0),
    ),
}


@pytest.fixture(scope="module")
def onnxruntime_web():
    modules = os.environ.get("SKDEEPENC_NODE_MODULES")
    if not modules:
        pytest.skip("SKDEEPENC_NODE_MODULES is not set")
    folder = Path(modules) / "onnxruntime-web"
    if not folder.is_dir():
        pytest.skip(f"{modules} has no onnxruntime-web")
    return folder


@pytest.fixture(scope="module", params=PIPELINES)
def exported(request, tmp_path_factory):
    """Return a folder with an exported pipeline and an image, that image, and the outputs."""
    view, *steps = PIPELINES[request.param]
    scenes = make_scenes(8, n_classes=2, image_size=90, random_state=0)
    extractor = ActivationExtractor(layers="conv5", views=view)
    pipeline = make_pipeline(extractor, *steps).fit(scenes.images, scenes.target)
    folder = tmp_path_factory.mktemp("web")
    to_onnx(pipeline, folder / "model.onnx", images=scenes.images[:2])
    image = np.ascontiguousarray(scenes.images[0][:70])
    Image.fromarray(image).save(folder / "image.png")
    (folder / "image.rgb").write_bytes(image.tobytes())
    session = open_apart(Graph((folder / "model.onnx").read_bytes()), ["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    values = run_feeds(session, {"images": image[None]})
    expected = dict(zip(names, map(np.ravel, values), strict=True))
    return folder, image, expected


def assert_same(outputs, expected):
    assert outputs.keys() == expected.keys(), outputs
    for name, values in expected.items():
        np.testing.assert_allclose(outputs[name], values, atol=1e-4)


def test_node_gives_what_onnxruntime_gives(onnxruntime_web, exported):
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    folder, image, expected = exported
    height, width, _ = image.shape
    words = [onnxruntime_web, folder / "model.onnx", folder / "image.rgb", height, width]
    command = [node, PAGES / "in_node.mjs", *words]
    finished = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert_same(json.loads(finished.stdout), expected)


def test_a_browser_gives_what_onnxruntime_gives(onnxruntime_web, exported, tmp_path):
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("Chromium is not installed")
    folder, _, expected = exported
    with served([PAGES, folder, onnxruntime_web]) as (address, posted):
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        options.append(f"--user-data-dir={tmp_path / 'profile'}")
        process = subprocess.Popen(
            [browser, *options, f"{address}/in_browser.html"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            outputs = posted.get(timeout=SECONDS)
        finally:
            process.terminate()
            process.wait(SECONDS)
    assert_same(outputs, expected)


@contextmanager
def served(folders):
    """Serve the files of folders; yield the address, and a queue of what is posted there."""
    posted: queue.Queue = queue.Queue()
    handler = partial(Handler, folders, posted)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", posted
        finally:
            server.shutdown()


class Handler(SimpleHTTPRequestHandler):
    """Serves the first file of a name, and keeps what is posted."""

    extensions_map = {
        **SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def __init__(self, folders, posted, *arguments):
        self.folders, self.posted = folders, posted
        super().__init__(*arguments)

    def translate_path(self, path):
        places = [folder / path.partition("?")[0].lstrip("/") for folder in self.folders]
        return str(next(filter(Path.exists, places), places[0]))

    def do_POST(self):
        self.posted.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments):
        """Say nothing."""
