"""What `save` writes `load` reads, and nothing else."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

import skdeepenc
from skdeepenc import persistence
from skdeepenc.backbones import Backbone
from skdeepenc.encoders import GlobalPooler, MOPVLADEncoder
from skdeepenc.exceptions import ModelError, StorageError, StorageWarning
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.functional import l2_normalize


@pytest.fixture
def maps():
    return np.random.default_rng(0).random((12, 5, 4, 8), dtype=np.float32)


@pytest.fixture
def saved(tmp_path, maps):
    """The path of a saved encoder."""
    path = tmp_path / "encoder.skops"
    skdeepenc.save(MOPVLADEncoder(n_clusters=3, random_state=0).fit(maps), path)
    return path


def rewritten(path, change):
    """Write an archive again, each member as `change(name, content)` says."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, change(name, content))
    return path


def described(path, **changes):
    """Change what the description of an archive says."""

    def change(name, content):
        if name != "skdeepenc.json":
            return content
        return json.dumps({**json.loads(content), **changes})

    return rewritten(path, change)


def forged(path, old, new):
    """Change the schema of an archive, and its description with it."""
    path = rewritten(path, lambda name, content: content.replace(old, new))
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist()) - {"skdeepenc.json"}
        digests = {name: hashlib.sha256(archive.read(name)).hexdigest() for name in names}
    return described(path, sha256=digests)


def test_a_pipeline_predicts_the_same(tmp_path, maps):
    labels = np.arange(12) % 3
    encoders = make_union(MOPVLADEncoder(n_clusters=3, random_state=0), GlobalPooler())
    pipeline = make_pipeline(encoders, FunctionTransformer(l2_normalize), LinearSVC())
    pipeline.fit(maps, labels)
    skdeepenc.save(pipeline, tmp_path / "pipeline.skops")
    loaded = skdeepenc.load(tmp_path / "pipeline.skops")
    np.testing.assert_array_equal(loaded.decision_function(maps), pipeline.decision_function(maps))


@pytest.mark.parametrize(
    "last",
    [
        CalibratedClassifierCV(LinearSVC(), cv=3),
        CalibratedClassifierCV(LinearSVC(), cv=3, method="isotonic"),
        GridSearchCV(LinearSVC(), {"C": [1, 10]}, cv=3),
        KNeighborsClassifier(algorithm="brute"),
    ],
)
def test_what_holds_other_objects_is_saved_too(tmp_path, maps, last):
    pipeline = make_pipeline(GlobalPooler(), last).fit(maps, np.arange(12) % 3)
    skdeepenc.save(pipeline, tmp_path / "pipeline.skops")
    loaded = skdeepenc.load(tmp_path / "pipeline.skops")
    assert_array_equal(loaded.predict(maps), pipeline.predict(maps))
    assert_array_equal(loaded.classes_, pipeline.classes_)


def test_trees_in_compiled_code_are_not_trusted(tmp_path, maps):
    neighbors = KNeighborsClassifier(algorithm="kd_tree")
    pipeline = make_pipeline(GlobalPooler(), neighbors).fit(maps, np.arange(12) % 3)
    with pytest.raises(StorageError, match="KDTree, which skdeepenc does not trust"):
        skdeepenc.save(pipeline, tmp_path / "pipeline.skops")


def test_an_unfitted_estimator_keeps_its_parameters(tmp_path):
    encoder = MOPVLADEncoder(scales=[0, 2], sigma="auto", n_components=None)
    skdeepenc.save(encoder, tmp_path / "encoder.skops")
    assert skdeepenc.load(tmp_path / "encoder.skops").get_params() == encoder.get_params()


def test_a_file_that_is_there_is_replaced_whole(saved, monkeypatch):
    before = saved.read_bytes()

    def fail(*arguments):
        raise OSError("no room")

    monkeypatch.setattr(persistence, "_describe", fail)
    with pytest.raises(OSError, match="no room"):
        skdeepenc.save(GlobalPooler(), saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def test_no_folder_is_an_error(tmp_path):
    with pytest.raises(StorageError, match="is not a folder"):
        skdeepenc.save(GlobalPooler(), tmp_path / "missing" / "encoder.skops")


def test_functions_of_others_are_not_saved(tmp_path):
    with pytest.raises(StorageError, match=r"system.*does not trust"):
        skdeepenc.save(FunctionTransformer(os.system), tmp_path / "pipeline.skops")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stranger", [b"subprocess", b"skdeepenc.cli", b"os"])
def test_a_forged_file_cannot_name_other_classes(saved, stranger):
    path = forged(saved, b"skdeepenc.encoders.mop_vlad", stranger)
    with pytest.raises(StorageError, match="does not trust"):
        skdeepenc.load(path)


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "builtins.eval",
        "skdeepenc.cli.main",
        "skdeepenc._optional.require",
        "skdeepenc.backbones.fetch_model",
        "skdeepenc.encoders.os",
        "skdeepenc.encoders.missing.Encoder",
        "skdeepenc.functional.normalize.np",
    ],
)
def test_what_is_not_ours_is_not_trusted(name):
    assert not persistence._is_own(name)


def test_types_of_ones_own_are_trusted_by_name(tmp_path):
    path = tmp_path / "encoder.skops"
    with pytest.raises(StorageError, match="trusted="):
        skdeepenc.save(Own(), path)
    skdeepenc.save(Own(), path, trusted=[f"{Own.__module__}.Own"])
    with pytest.raises(StorageError, match="does not trust"):
        skdeepenc.load(path)


class Own(GlobalPooler):
    """An encoder that the package does not know."""


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_file_that_was_cut_off_is_named(saved, kept):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(StorageError, match=r"encoder\.skops is damaged"):
        skdeepenc.load(saved)


def test_a_flipped_bit_is_found(saved):
    with zipfile.ZipFile(saved) as archive:
        member = next(name for name in archive.namelist() if name.endswith(".npy"))

    def flip(name, content):
        return content[:-1] + bytes([content[-1] ^ 1]) if name == member else content

    with pytest.raises(StorageError, match="was changed since it was written"):
        skdeepenc.load(rewritten(saved, flip))


def test_compressed_members_are_refused(saved):
    with zipfile.ZipFile(saved) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(StorageError, match="compressed"):
        skdeepenc.load(saved)


def test_a_pickle_is_refused(tmp_path):
    path = tmp_path / "encoder.pkl"
    path.write_bytes(b"cos\nsystem\n(S'echo broken in'\ntR.")
    with pytest.raises(StorageError, match="was not written by"):
        skdeepenc.load(path)
    with pytest.raises(StorageError, match="is not a file"):
        skdeepenc.load(tmp_path)


def test_a_newer_format_says_to_upgrade(saved):
    path = described(saved, format=persistence.FORMAT + 1)
    with pytest.raises(StorageError, match="Upgrade skdeepenc"):
        skdeepenc.load(path)


def test_a_forged_version_is_cut_short(saved):
    path = described(saved, versions={"skdeepenc": ["a"] * 5000})
    with pytest.warns(StorageWarning) as warned:
        skdeepenc.load(path)
    assert len(str(warned[0].message)) < 200


def test_another_version_is_said(saved, maps):
    path = described(saved, versions={"skdeepenc": "0.0.1"})
    with pytest.warns(StorageWarning, match=r"written by skdeepenc 0\.0\.1"):
        encoder = skdeepenc.load(path)
    assert encoder.transform(maps).shape == (12, encoder._n_features_out)


def test_encoders_are_imported_and_loaded_without_onnx(saved):
    """Encoders and rankers meet the backbone only through feature maps."""
    code = (
        "import sys; sys.modules['onnx'] = sys.modules['onnxruntime'] = None\n"
        "import skdeepenc.encoders, skdeepenc.retrieval, skdeepenc.testing, skdeepenc.metrics\n"
        f"skdeepenc.load({str(saved)!r})"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr


@pytest.fixture
def images():
    return list(np.random.default_rng(0).integers(0, 256, (4, 40, 48, 3), dtype=np.uint8))


@pytest.fixture
def model(tmp_path):
    """The path of a copy of the embedded model."""
    path = tmp_path / "model.onnx"
    path.write_bytes(Backbone().content())
    return path


def test_a_pipeline_remembers_where_its_model_is_and_which_it_was(tmp_path, model, images):
    extractor = ActivationExtractor(str(model), layers="conv5").fit(images)
    expected = extractor.transform(images).values("conv5")
    skdeepenc.save(extractor, tmp_path / "extractor.skops")
    model.rename(tmp_path / "moved.onnx")
    loaded = skdeepenc.load(tmp_path / "extractor.skops")
    loaded.set_params(model=str(tmp_path / "moved.onnx"))
    np.testing.assert_array_equal(loaded.transform(images).values("conv5"), expected)
    other = tmp_path / "other.onnx"
    other.write_bytes((tmp_path / "moved.onnx").read_bytes() + b"\x0a\x00")
    with pytest.raises(ModelError, match="another model than before"):
        loaded.set_params(model=str(other)).transform(images)


@pytest.mark.parametrize("n_components", [None, 3])
def test_one_file_is_the_whole_pipeline(tmp_path, model, images, n_components):
    extractor = ActivationExtractor(str(model), layers="conv5", n_components=n_components)
    pipeline = make_pipeline(extractor, GlobalPooler()).fit(images)
    expected = pipeline.transform(images)
    skdeepenc.save(pipeline, tmp_path / "pipeline.skops", include_model=True)
    assert pipeline[0].model == str(model)
    size = model.stat().st_size
    model.unlink()
    with zipfile.ZipFile(tmp_path / "pipeline.skops") as archive:
        assert [each.file_size for each in archive.infolist()].count(size) == 1
    loaded = skdeepenc.load(tmp_path / "pipeline.skops")
    np.testing.assert_array_equal(loaded.transform(images), expected)
    again = pickle.loads(pickle.dumps(loaded))
    assert again[0].get_params()["model"] == loaded[0].model == loaded[0].backbone_.content()
    np.testing.assert_array_equal(again.transform(images), expected)


@pytest.mark.parametrize("n_components", [None, 2])
def test_paths_of_any_type_are_saved_as_text(tmp_path, model, images, n_components):
    """An object that stands for a path on one system cannot be made on another."""
    extractor = ActivationExtractor(
        model, layers="conv5", n_components=n_components, memory=tmp_path / "cache", random_state=0
    ).fit(images)
    expected = extractor.transform(images)
    skdeepenc.save(extractor, tmp_path / "extractor.skops")
    for copy in (
        skdeepenc.load(tmp_path / "extractor.skops"),
        pickle.loads(pickle.dumps(extractor)),
    ):
        assert (copy.model, copy.memory) == (str(model), str(tmp_path / "cache"))
        assert_array_equal(copy.transform(images).values("conv5"), expected.values("conv5"))
    assert extractor.model is model


def test_an_unfitted_extractor_takes_its_model_along(tmp_path, model, images):
    path = tmp_path / "extractor.skops"
    skdeepenc.save(ActivationExtractor(str(model), layers="conv5"), path, include_model=True)
    model.unlink()
    assert skdeepenc.load(path).fit_transform(images).layers == ("conv5",)
