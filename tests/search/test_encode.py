"""Images become shards of vectors, whole or not at all, the same by whomever they are written."""

import csv
import io
import os
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image
from search.conftest import N_FEATURES, N_IMAGES
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import LinearSVC

import skdeepenc
from skdeepenc import ActivationExtractor, GlobalPooler
from skdeepenc.exceptions import (
    DataSetError,
    MissingDependencyError,
    NonFiniteError,
    StorageError,
)
from skdeepenc.export import OnnxPipeline, to_onnx
from skdeepenc.search import EncodingSummary, ImageIndex, encode, read_shards
from skdeepenc.search.failure_lists import read_failures

pytest.importorskip("pyarrow")
pytest.importorskip("fsspec")


def vectors_in(folder):
    return np.concatenate([shard.vectors for shard in read_shards(folder)])


def contents_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_shard_is_an_array_and_a_table(pipeline, photos, tmp_path, pixels, expected):
    out = tmp_path / "out"
    summary = encode(pipeline, photos, out, shard_size=4)
    assert summary == EncodingSummary(N_IMAGES, 1, 2, 0)
    assert sorted(contents_of(out)) == [
        "failures-00001.csv",
        *("images-00000.parquet", "images-00001.parquet"),
        *("vectors-00000.npy", "vectors-00001.npy"),
    ]
    first, second = read_shards(out)
    assert first.table.column_names == ["image", "digest", "width", "height", "error"]
    assert first.table["image"].to_pylist() == [str(photos / f"{n}.png") for n in range(4)]
    assert first.table["width"].to_pylist() == [image.shape[1] for image in pixels[:4]]
    assert first.table["height"].to_pylist() == [20] * 4
    assert_array_equal(first.vectors, expected[:4])
    assert isinstance(first.vectors, np.memmap)
    assert second.table["error"].to_pylist()[0] is None
    assert "web page" in second.table["error"].to_pylist()[1]
    assert not second.vectors[1].any()
    assert_array_equal(second.vectors[[0, 2]], expected[[4, 6]])


def test_what_failed_is_listed_for_people(pipeline, photos, tmp_path, pixels):
    out = tmp_path / "out"
    (photos / "2.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0")
    assert encode(pipeline, photos, out, shard_size=4).n_failures == 2
    first, second = (
        list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
        for path in sorted(out.glob("*.csv"))
    )
    assert first[0] == second[0] == ["image", "error"]
    assert first[1][0] == f"{photos}/2.heic"
    assert "HEIC" in first[1][1]
    assert second[1][0] == f"{photos}/5.png"
    Image.fromarray(pixels[5]).save(photos / "5.png")
    assert encode(pipeline, photos, out, shard_size=4, resume=False).n_failures == 1
    assert [path.name for path in out.glob("*.csv")] == ["failures-00000.csv"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names that are any bytes")
def test_names_that_are_not_text_are_failures(pipeline, photos, tmp_path):
    os.rename(photos / "3.png", os.fsencode(photos) + b"/3\xff.png")
    assert encode(pipeline, photos, tmp_path / "out").n_failures == 2
    (name, error), _ = read_failures((tmp_path / "out/failures-00000.csv").read_bytes(), "").items()
    assert name == f"{photos}/3\\udcff.png"
    assert "not text in UTF-8" in error
    index = ImageIndex.build(pipeline, photos, tmp_path / "index")
    assert name in index.failures["image"].tolist()
    assert index.update(photos).n_unchanged == N_IMAGES - 2


def test_the_files_do_not_depend_on_the_number_of_workers(pipeline, photos, tmp_path):
    encode(pipeline, photos, tmp_path / "one", shard_size=2)
    summaries = [
        encode(pipeline, photos, tmp_path / "three", shard_size=2, shard=shard, n_shards=3)
        for shard in (2, 0, 1)
    ]
    assert contents_of(tmp_path / "one") == contents_of(tmp_path / "three")
    total = sum(summaries, EncodingSummary())
    assert (total.n_images, total.n_failures, total.n_written) == (N_IMAGES, 1, 4)


def test_what_is_there_is_left_and_what_is_missing_is_written(pipeline, photos, tmp_path):
    out = tmp_path / "out"
    encode(pipeline, photos, out, shard_size=3)
    before = contents_of(out)
    (out / "images-00001.parquet").unlink()
    untouched = (out / "images-00000.parquet").stat().st_mtime_ns
    summary = encode(pipeline, photos, out, shard_size=3)
    assert summary == EncodingSummary(N_IMAGES, 1, 1, 2)
    assert contents_of(out) == before
    assert (out / "images-00000.parquet").stat().st_mtime_ns == untouched
    assert encode(pipeline, photos, out, shard_size=3, resume=False).n_written == 3


def test_a_summary_reads_as_a_sentence():
    assert str(EncodingSummary(12_000, 3, 1, 1)) == (
        "12,000 images, 3 of them failed, in 2 shards: 1 written, 1 there already"
    )


def test_a_pipeline_and_its_file_go_on_with_one_another(pipeline, photos, tmp_path):
    skdeepenc.save(pipeline, tmp_path / "encoder.skops")
    encode(pipeline, photos, tmp_path / "out")
    summary = encode(tmp_path / "encoder.skops", photos, tmp_path / "out")
    assert (summary.n_written, summary.n_skipped) == (0, 1)


def test_means_do_not_make_another_encoder(pipeline, photos, tmp_path):
    encode(pipeline, photos, tmp_path / "out")
    other = clone(pipeline).set_params(activationextractor__batch_size=2)
    other.fit([np.zeros((16, 16, 3), np.uint8)])
    other.set_params(activationextractor__n_jobs=1, activationextractor__memory=tmp_path / "maps")
    assert encode(other, photos, tmp_path / "out").n_skipped == 1
    encode(other, photos, tmp_path / "again")
    assert not (tmp_path / "maps").exists()
    assert_array_equal(vectors_in(tmp_path / "again"), vectors_in(tmp_path / "out"))


def test_a_predictor_at_the_end_is_left_out(pipeline, pixels, tmp_path, expected):
    classifier = make_pipeline(*(step for _, step in pipeline.steps), LinearSVC())
    classifier.fit(pixels, np.arange(N_IMAGES) % 2)
    encode(classifier, pixels, tmp_path / "out")
    assert_array_equal(vectors_in(tmp_path / "out"), expected)
    assert read_shards(tmp_path / "out").listing()["image"].to_pylist()[2] == "image 2"


def test_graphs_encode_as_their_pipelines_do(pipeline, photos, tmp_path, expected):
    to_onnx(pipeline, tmp_path / "encoder.onnx")
    for name, encoder in (("file", tmp_path / "encoder.onnx"), ("graph", OnnxPipeline(pipeline))):
        summary = encode(encoder, photos, tmp_path / name, dtype="float32")
        assert summary == EncodingSummary(N_IMAGES, 1, 1, 0)
        vectors = vectors_in(tmp_path / name)
        assert vectors.dtype == np.float32
        good = [0, 1, 2, 3, 4, 6]
        np.testing.assert_allclose(vectors[good], expected[good], rtol=2e-3, atol=1e-3)
        assert not vectors[5].any()


def test_a_shard_of_bad_images_alone_has_vectors_of_the_usual_length(pipeline, tmp_path):
    encode(pipeline, [b"", str(tmp_path / "missing.png"), b"nonsense"], tmp_path / "out")
    shards = read_shards(tmp_path / "out")
    assert shards.vectors(0).shape == (3, N_FEATURES)
    errors = shards.listing()["error"].to_pylist()
    assert errors[:2] == ["the file is empty", "there is no such file"]
    assert len(set(errors)) == 3


def test_sizes_are_those_a_person_sees(pipeline, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(tmp_path / "turned.jpg", exif=exif)
    encode(pipeline, [tmp_path / "turned.jpg"], tmp_path / "out")
    table = read_shards(tmp_path / "out").table(0)
    assert (table["width"][0].as_py(), table["height"][0].as_py()) == (20, 40)


def test_blocks_are_bounded_by_the_working_memory(pipeline, photos, tmp_path, monkeypatch):
    sizes, transform = [], GlobalPooler.transform
    monkeypatch.setattr(
        GlobalPooler, "transform", lambda self, X: sizes.append(len(X)) or transform(self, X)
    )
    bytes_of_one = 4 * 4 * N_FEATURES * 4
    with config_context(working_memory=16 * 2.5 * bytes_of_one / 2**20):
        encode(pipeline, photos, tmp_path / "out")
    assert sizes == [3, 3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dtype": "float32"}, "with dtype='float16', not 'float32'"),
        ({"shard_size": 3}, "with shard_size=4, not 3"),
        ({"images": ["a.png", "b.png"]}, "from another list of images"),
        (
            {"encoder": make_pipeline(ActivationExtractor(layers="conv5"), GlobalPooler())},
            "encoder",
        ),
    ],
)
def test_a_folder_is_of_one_run(change, message, pipeline, photos, tmp_path, pixels):
    run = {"encoder": pipeline, "images": photos, "out": tmp_path / "out", "shard_size": 4}
    encode(**run)
    files = contents_of(tmp_path / "out")
    if "encoder" in change:
        change["encoder"].fit(pixels)
    for shard in (0, 1):
        with pytest.raises(StorageError, match=message):
            encode(**{**run, **change}, shard=shard, n_shards=2)
    assert contents_of(tmp_path / "out") == files


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"shard": 2, "n_shards": 2}, "the last of 2 is 1"),
        ({"shard": -1}, "shard"),
        ({"n_shards": 0}, "n_shards"),
        ({"shard_size": 0}, "shard_size"),
        ({"dtype": "int8"}, "dtype"),
        ({"encoder": 3}, "encoder"),
    ],
)
def test_parameters_out_of_range_are_named(parameters, message, pipeline, photos, tmp_path):
    with pytest.raises(ValueError, match=message):
        encode(**{"encoder": pipeline, "images": photos, "out": tmp_path / "out", **parameters})
    assert not (tmp_path / "out").exists()


def test_encoders_that_make_no_vectors_are_refused(pipeline, photos, tmp_path):
    with pytest.raises(NotFittedError):
        encode(make_pipeline(ActivationExtractor(), GlobalPooler()), photos, tmp_path / "out")
    with pytest.raises(ValueError, match="put an encoder behind it"):
        encode(pipeline[:1], photos, tmp_path / "out")
    with pytest.raises(StorageError, match="not a file"):
        encode(tmp_path / "missing.skops", photos, tmp_path / "out")


def test_vectors_too_large_for_float16_are_an_error(pipeline, pixels, tmp_path):
    scaler = MinMaxScaler((0, 1e6))
    huge = make_pipeline(*(step for _, step in pipeline.steps), scaler).fit(pixels)
    with pytest.raises(NonFiniteError, match='dtype="float32"'):
        encode(huge, pixels, tmp_path / "out")
    assert encode(huge, pixels, tmp_path / "out", dtype="float32").n_written == 1


def test_the_folder_must_be_one(pipeline, photos, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(StorageError, match="is a file"):
        encode(pipeline, photos, tmp_path / "out")


def test_no_images_are_an_error(pipeline, tmp_path):
    (tmp_path / "empty").mkdir()
    for images in (tmp_path / "empty", tmp_path / "missing", tmp_path / "no-*.tar"):
        with pytest.raises(DataSetError, match="There are no images"):
            encode(pipeline, images, tmp_path / "out")
    with pytest.raises(ValueError, match="Found no images"):
        encode(pipeline, [], tmp_path / "out")


def test_without_pyarrow_the_error_says_what_to_install(pipeline, photos, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r"\.\[search\]"):
        encode(pipeline, photos, tmp_path / "out")


def test_stores_get_the_same_files(pipeline, photos, tmp_path):
    import fsspec

    store = fsspec.filesystem("memory")
    try:
        encode(pipeline, photos, tmp_path / "out", shard_size=4)
        store.put(str(photos), "photos", recursive=True)
        encode(pipeline, photos, "memory://deep/out", shard_size=4)
        found = {path.rpartition("/")[2]: store.cat(path) for path in store.ls("deep/out", False)}
        assert found == contents_of(tmp_path / "out")
        assert encode(pipeline, photos, "memory://deep/out", shard_size=4).n_skipped == 2
        assert_array_equal(vectors_in("memory://deep/out"), vectors_in(tmp_path / "out"))
        encode(pipeline, "memory://photos", "memory://other")
        table = read_shards("memory://other").listing()
        assert table["image"][0].as_py() == "memory:///photos/0.png"
        assert_array_equal(vectors_in("memory://other"), vectors_in(tmp_path / "out"))
    finally:
        store.store.clear()
