"""Files of graphs: what is in them, and that nothing half-written is left behind."""

import json
import os
import subprocess

import numpy as np
import onnx
import pytest
from extraction.conftest import tiny_network
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline

from skdeepenc.encoders import GlobalPooler, MOPVLADEncoder
from skdeepenc.exceptions import ExportError
from skdeepenc.export import register, registry, to_onnx, verify
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.testing import ragged_images

IMAGES = ragged_images()


@pytest.fixture
def encoder():
    return MOPVLADEncoder(n_clusters=3, n_components=4, random_state=0).fit(IMAGES)


def test_a_file_is_what_the_contract_says(encoder, tmp_path):
    report = to_onnx(encoder, tmp_path / "mop.onnx", input="maps", images=IMAGES)
    assert report.min_cosine > 0.999999
    assert report.max_abs < 1e-3
    assert report.class_agreement is None
    assert (tmp_path / "mop.onnx").read_bytes() == report.model
    model = onnx.load(tmp_path / "mop.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert (model.opset_import[0].version, model.ir_version) == (18, 8)
    assert [each.name for each in model.graph.input] == ["features/0", "features/1"]
    assert [each.name for each in model.graph.output] == ["vector"]
    assert model.graph.output[0].type.tensor_type.shape.dim[1].dim_value == 12


def test_the_description_is_in_the_file_and_beside_it(encoder, tmp_path):
    to_onnx(encoder, tmp_path / "mop.onnx", input="maps", images=IMAGES)
    (entry,) = onnx.load(tmp_path / "mop.onnx").metadata_props
    beside = json.loads((tmp_path / "mop.onnx.json").read_text(encoding="utf-8"))
    assert entry.key == "skdeepenc"
    assert json.loads(entry.value) == beside
    assert beside["input"] == "maps"
    assert beside["steps"][0]["parameters"]["n_clusters"] == 3
    assert beside["measured"]["n_images"] == 6
    assert set(beside["versions"]) == {"skdeepenc", "scikit-learn", "onnx"}


def test_a_network_given_as_bytes_is_not_in_the_description():
    network = tiny_network()
    pipeline = make_pipeline(ActivationExtractor(network, layers=["conv2"]), GlobalPooler())
    report = to_onnx(pipeline.fit(list(np.zeros((2, 20, 20, 3), np.uint8))))
    (entry,) = onnx.load_model_from_string(report.model).metadata_props
    parameters = json.loads(entry.value)["steps"][0]["parameters"]
    assert parameters["model"].startswith(f"{len(network)} bytes, SHA-256 ")


def test_verify_measures_the_file(encoder, tmp_path):
    to_onnx(encoder, tmp_path / "mop.onnx", input="maps", sidecar=False)
    assert [path.name for path in tmp_path.iterdir()] == ["mop.onnx"]
    report = verify(encoder, tmp_path / "mop.onnx", IMAGES)
    assert report.min_cosine > 0.999999
    other = MOPVLADEncoder(n_clusters=2, n_components=4, random_state=0).fit(IMAGES)
    assert verify(other, tmp_path / "mop.onnx", IMAGES).min_cosine < 0.99
    with pytest.raises(ExportError, match="is not the pipeline of this graph"):
        verify(GlobalPooler().fit(IMAGES), tmp_path / "mop.onnx", IMAGES)


def test_large_weights_go_beside_the_graph(encoder, tmp_path, monkeypatch):
    monkeypatch.setattr("skdeepenc.export.files._SMALLEST_BESIDE", 100)
    path = tmp_path / "mop.onnx"
    to_onnx(encoder, path, input="maps", external_data=True, images=IMAGES)
    assert verify(encoder, path, IMAGES).min_cosine > 0.999999
    assert (tmp_path / "mop.onnx.data").stat().st_size > 100

    monkeypatch.setattr("skdeepenc.export.files._MOST_BYTES", 100)
    to_onnx(encoder, tmp_path / "auto.onnx", input="maps")
    assert (tmp_path / "auto.onnx.data").exists()
    with pytest.raises(ExportError, match="give a path"):
        to_onnx(encoder, input="maps")


def test_an_extractor_in_front_is_left_out():
    pipeline = make_pipeline(ActivationExtractor(), GlobalPooler().fit(IMAGES))
    assert to_onnx(pipeline, input="maps", images=IMAGES).min_cosine > 0.999999


class Scaler(TransformerMixin, BaseEstimator):
    """Doubles vectors."""

    def fit(self, X, y=None):
        self.factor_ = 2.0
        return self

    def transform(self, X):
        return self.factor_ * X


class Shifter(Scaler):
    def transform(self, X):
        return X - 1


@pytest.fixture
def pipeline(monkeypatch):
    """A pipeline with a step whose converter is wrong."""
    monkeypatch.setattr(registry, "_CONVERTERS", dict(registry._CONVERTERS))
    register(Shifter, lambda g, shifter, vectors: vectors * shifter.factor_)
    register(Scaler, lambda g, scaler, vectors: vectors * scaler.factor_)
    return make_pipeline(GlobalPooler(), Shifter()).fit(IMAGES)


def test_steps_of_ones_own_are_exported(pipeline):
    right = make_pipeline(GlobalPooler(), Scaler()).fit(IMAGES)
    assert to_onnx(right, input="maps", images=IMAGES).max_abs < 1e-5


def test_a_graph_that_computes_something_else_is_not_kept(pipeline, tmp_path):
    with pytest.raises(ExportError, match=r"tolerance=0\.001.*min_cosine"):
        to_onnx(pipeline, tmp_path / "wrong.onnx", input="maps", images=IMAGES)
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_full_leaves_nothing_behind(encoder, tmp_path, monkeypatch):
    def fail(model, path, beside):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("skdeepenc.export.onnx_file.write_model", fail)
    with pytest.raises(ExportError, match="No space left"):
        to_onnx(encoder, tmp_path / "mop.onnx", input="maps")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 16 kilobytes, where one may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only an administrator may mount a disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("beside", [False, True])
def test_a_disk_that_fills_up_keeps_what_was_on_it(encoder, small_disk, beside):
    path = small_disk / "mop.onnx"
    path.write_bytes(b"mine")
    with pytest.raises(ExportError, match="No space left"):
        to_onnx(encoder, path, input="maps", overwrite=True, external_data=beside)
    assert [each.name for each in small_disk.iterdir()] == ["mop.onnx"]
    assert path.read_bytes() == b"mine"
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(ExportError, match="Read-only file system"):
        to_onnx(encoder, small_disk / "other.onnx", input="maps")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_replaced(encoder, tmp_path):
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(ExportError, match="neither a file nor a folder"):
        to_onnx(encoder, tmp_path / "pipe.onnx", input="maps", overwrite=True)
    assert (tmp_path / "pipe.onnx").is_fifo()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_that_is_there_is_replaced_when_asked(encoder, tmp_path):
    path = tmp_path / "mop.onnx"
    path.write_bytes(b"mine")
    with pytest.raises(ExportError, match="overwrite=True"):
        to_onnx(encoder, path, input="maps")
    assert path.read_bytes() == b"mine"
    (tmp_path / "other.onnx.json").write_text("{}")
    with pytest.raises(ExportError, match=r"other\.onnx\.json exists"):
        to_onnx(encoder, tmp_path / "other.onnx", input="maps")
    assert to_onnx(encoder, path, input="maps", overwrite=True).model == path.read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input": "pictures"}, "input='pictures' is not one of"),
        ({"outputs": ["class"]}, "this pipeline gives 'vector'"),
        ({"outputs": []}, "this pipeline gives"),
        ({"external_data": "yes"}, "external_data='yes'"),
        ({"path": "no/such/folder.onnx"}, "is not a folder"),
        ({"path": "nul\0.onnx"}, "cannot be the name of a file: .*null"),
        ({"path": "a" * 300}, "cannot be the name of a file: .*too long"),
        ({"images": np.zeros((2, 3, 3, 5))}, "1 scales"),
    ],
)
def test_bad_options_are_named(encoder, options, message):
    with pytest.raises(ValueError, match=message):
        to_onnx(encoder, **{"input": "maps", **options})


def test_what_is_not_fitted_or_not_known_is_named(tmp_path):
    with pytest.raises(ExportError, match="not fitted"):
        to_onnx(GlobalPooler(), input="maps")
    with pytest.raises(ExportError, match="no converter for Scaler"):
        to_onnx(make_pipeline(GlobalPooler(), Scaler()).fit(IMAGES), input="maps")
    with pytest.raises(ExportError, match="extractor alone"):
        to_onnx(ActivationExtractor(), input="maps")
    (tmp_path / "other.onnx").write_bytes(b"something")
    with pytest.raises(ExportError, match="not written by"):
        verify(GlobalPooler(), tmp_path / "other.onnx", IMAGES)
    with pytest.raises(ExportError, match="cannot be read"):
        verify(GlobalPooler(), tmp_path / "missing.onnx", IMAGES)
