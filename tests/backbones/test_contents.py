"""The bytes that are digested are the bytes that run, and files say what is wrong with them."""

import os
import pickle

import numpy as np
import onnx
import pytest
from numpy.testing import assert_array_equal

from skdeepenc.backbones import Backbone, ModelSpec, parsed_model
from skdeepenc.backbones.files import contents
from skdeepenc.backbones.files.contents import known_digest, read_contents
from skdeepenc.backbones.running import session
from skdeepenc.backbones.running.session_table import SessionTable
from skdeepenc.exceptions import ModelError

SPEC = ModelSpec("tiny", ("relu2", "fc2"), 16)


@pytest.fixture
def path(tiny_network, tmp_path):
    file = tmp_path / "tiny.onnx"
    file.write_bytes(tiny_network.SerializeToString())
    return file


@pytest.fixture
def beside(tiny_network, tmp_path):
    """Save the model with its weights in another file of the same folder."""
    file = tmp_path / "folder" / "tiny.onnx"
    file.parent.mkdir()
    model = onnx.ModelProto()
    model.CopyFrom(tiny_network)
    onnx.save(model, file, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return file


@pytest.fixture
def forgetful(monkeypatch):
    """Have a process that has seen no model, and keeps no file however small."""
    monkeypatch.setattr(parsed_model, "_MODELS", type(parsed_model._MODELS)())
    monkeypatch.setattr(parsed_model, "SMALL_FILE", 0)
    monkeypatch.setattr(contents, "_KNOWN", type(contents._KNOWN)())
    monkeypatch.setattr(session, "_TABLE", SessionTable())


def other_content(tiny_network):
    model = onnx.ModelProto()
    model.CopyFrom(tiny_network)
    for tensor in model.graph.initializer:
        tensor.raw_data = bytes(len(tensor.raw_data))
    return model.SerializeToString()


# --- what is not a model -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "git lfs pull"),
        (b"<!DOCTYPE html><html></html>", "is a web page"),
        (b"PK\x03\x04rest", "PyTorch"),
        (b'{"architectures": []}', "is JSON"),
    ],
)
def test_other_files_are_named(content, reason):
    with pytest.raises(ModelError, match=f"is not an ONNX model: it .*{reason}"):
        read_contents(content)


def test_a_download_that_was_cut_off_says_how_much_is_missing(tiny_network):
    content = tiny_network.SerializeToString()
    with pytest.raises(ModelError, match=r"is cut off: it holds 2862 bytes, and 54 more"):
        read_contents(content[:-60])


def test_a_file_beyond_what_protobuf_reads(tmp_path):
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(2**31)  # sparse: it takes no room
    with pytest.raises(ModelError, match=r"larger than 2 GiB.*save_as_external_data"):
        read_contents(path)


# --- weights beside the file ------------------------------------------------------------------


def test_links_of_a_model_hub(tiny_network, beside, pixels):
    """The model and its weights are links to files that are named after their digests."""
    snapshot, blobs = beside.parent.parent / "snapshots", beside.parent.parent / "blobs"
    for folder in (snapshot, blobs):
        folder.mkdir()
    for name, blob in (("tiny.onnx", "aaaa"), ("weights.bin", "bbbb")):
        (beside.parent / name).rename(blobs / blob)
        (snapshot / name).symlink_to(os.path.join("..", "blobs", blob))
    images = pixels(2, 20, 20)
    expected = Backbone(tiny_network.SerializeToString(), spec=SPEC).run(images)
    maps = Backbone(snapshot / "tiny.onnx", spec=SPEC).run(images)
    assert_array_equal(maps["fc2"], expected["fc2"])


def test_a_link_to_a_model_finds_the_weights_beside_it(tiny_network, beside, tmp_path, pixels):
    link = tmp_path / "link.onnx"
    link.symlink_to(beside)
    images = pixels(1, 16, 16)
    expected = Backbone(tiny_network.SerializeToString(), spec=SPEC).run(images)
    assert_array_equal(Backbone(link, spec=SPEC).run(images)["fc2"], expected["fc2"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (bytes(100), "is cut off"), (b"version https://git-lfs", "git lfs pull")],
)
def test_weights_that_are_not_whole(content, reason, beside):
    (beside.parent / "weights.bin").write_bytes(content)
    with pytest.raises(ModelError, match=reason):
        read_contents(beside)


# --- what is believed -------------------------------------------------------------------------


def with_old_date(file, content):
    """Write a file, in place, so that its date and size say nothing of it."""
    status = file.stat()
    file.write_bytes(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_dates_are_not_believed(beside, monkeypatch):
    monkeypatch.setattr(contents, "_SETTLED_NS", 0)
    weights = beside.parent / "weights.bin"
    digest = read_contents(beside).digest
    assert known_digest(beside) == digest
    with_old_date(weights, weights.read_bytes()[::-1])
    assert known_digest(beside) is None
    assert read_contents(beside).digest != digest


def test_young_files_are_read_again(beside):
    """Two changes within one tick of the clock look like one."""
    read_contents(beside)
    assert known_digest(beside) is None


def test_a_backbone_goes_on_with_the_model_that_it_read(path, tiny_network, pixels):
    images = pixels(1, 16, 16)
    expected = Backbone(tiny_network.SerializeToString(), spec=SPEC).run(images)
    backbone = Backbone(path, spec=SPEC)
    assert backbone.digest
    path.write_bytes(other_content(tiny_network))
    assert_array_equal(backbone.run(images)["fc2"], expected["fc2"])
    assert not np.array_equal(Backbone(path, spec=SPEC).run(images)["fc2"], expected["fc2"])


@pytest.mark.usefixtures("forgetful")
def test_a_large_model_that_was_replaced_is_refused(path, tiny_network, pixels):
    backbone = Backbone(path, spec=SPEC)
    assert backbone.digest
    path.write_bytes(other_content(tiny_network))
    with pytest.raises(ModelError, match=r"tiny\.onnx is another model than before"):
        backbone.run(pixels(1, 16, 16))


def test_a_pickle_knows_its_model(path, tiny_network, pixels, request):
    backbone = Backbone(path, spec=SPEC)
    assert backbone.digest
    kept = pickle.dumps(backbone)
    path.write_bytes(other_content(tiny_network))
    request.getfixturevalue("forgetful")
    with pytest.raises(ModelError, match=r"tiny\.onnx is another model than before"):
        pickle.loads(kept).run(pixels(1, 16, 16))


@pytest.mark.usefixtures("forgetful")
def test_weights_that_are_replaced_while_the_session_opens(beside, pixels, monkeypatch):
    weights, opened = beside.parent / "weights.bin", session._open

    def replacing(*arguments):
        with_old_date(weights, weights.read_bytes()[::-1])
        return opened(*arguments)

    monkeypatch.setattr(session, "_open", replacing)
    with pytest.raises(ModelError, match=r"changed while it was read"):
        Backbone(beside, spec=SPEC).run(pixels(1, 16, 16))


def test_a_moved_model_is_followed(path, tiny_network, pixels):
    backbone, images = Backbone(path, spec=SPEC), pixels(1, 16, 16)
    expected = backbone.run(images)["fc2"]
    moved = path.rename(path.with_name("moved.onnx"))
    assert_array_equal(backbone.relocated(moved).run(images)["fc2"], expected)
    moved.write_bytes(other_content(tiny_network))
    with pytest.raises(ModelError, match=r"moved\.onnx is another model"):
        backbone.relocated(moved)
