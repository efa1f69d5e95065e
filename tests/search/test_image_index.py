"""A folder is a search engine: built, searched, updated, looked through for copies."""

import os
import pickle
import shutil
import sys

import numpy as np
import pytest
import sklearn
from PIL import Image
from search.indexed_scenes import SCENES, pooled
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from skdeepenc import ActivationExtractor, GlobalPooler, NearestNeighborRanker, save
from skdeepenc.backbones import Backbone
from skdeepenc.exceptions import (
    DegenerateDataWarning,
    ImageBatchError,
    MissingDependencyError,
    StorageError,
)
from skdeepenc.export import to_onnx
from skdeepenc.extraction.sources import file_stamp
from skdeepenc.search import ImageIndex, UpdateSummary, encode

pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def encoder():
    return pooled().fit(list(SCENES[:2]))


@pytest.fixture(scope="module")
def built(tmp_path_factory, encoder):
    """Photographs and their index, to be copied."""
    place = tmp_path_factory.mktemp("built")
    photos = place / "photos"
    (photos / "more").mkdir(parents=True)
    for number, scene in enumerate(SCENES):
        folder = photos / "more" if number > 7 else photos
        path = folder / f"{number}.png"
        Image.fromarray(scene).save(path)
        os.utime(path, (1, 1))
    (photos / "bad.png").write_bytes(b"not an image")
    ImageIndex.build(encoder, photos, place / "index")
    return place


@pytest.fixture
def place(built, tmp_path, monkeypatch):
    """A copy of both, with names that stay: the photographs are given relative to it."""
    monkeypatch.setattr("skdeepenc.extraction.sources.SETTLED_SECONDS", 0.0)
    shutil.copytree(built, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path / "place"


@pytest.fixture
def index(place):
    index = ImageIndex.open("index")
    index.update("photos")
    return index


def test_an_image_is_found_first_with_similarity_one(index):
    table = index.search(["photos/3.png", "photos/more/9.png"], n_neighbors=2)
    assert list(table.columns) == ["query", "rank", "image", "similarity"]
    assert table["rank"].tolist() == [1, 2, 1, 2]
    assert table["query"].tolist()[::2] == table["image"].tolist()[::2]
    assert table["similarity"].tolist()[::2] == pytest.approx([1, 1], abs=1e-3)


def test_similarities_are_cosines_of_the_encoders_vectors(index, encoder):
    table = index.search([SCENES[0]], n_neighbors=len(index))
    vectors = encoder.transform([Image.open(path) for path in table["image"]])
    cosines = vectors @ vectors[0] / np.linalg.norm(vectors, axis=1) / np.linalg.norm(vectors[0])
    np.testing.assert_allclose(table["similarity"], cosines, atol=2e-3)
    assert table["query"].unique().tolist() == [0]
    assert (np.diff(table["similarity"]) <= 0).all()


def test_images_that_cannot_be_read_are_listed(index):
    assert len(index) == len(index.images) == 12
    assert index.failures["image"].tolist() == ["photos/bad.png"]
    assert "not an image" in index.failures["error"][0]


@pytest.mark.parametrize(
    "where",
    ["photos/more/*", lambda name: "more" in name, [*[False] * 8, *[True] * 4]],
    ids=["pattern", "function", "mask"],
)
def test_where_says_which_images_may_be_found(index, where):
    if isinstance(where, list):
        where = ["more" in name for name in index.images]
    found = index.search("photos/3.png", where=where)["image"]
    assert sorted(found) == [f"photos/more/{n}.png" for n in (10, 11, 8, 9)]


def test_where_must_be_a_mask_over_the_images(index):
    with pytest.raises(ValueError, match="mask of bool over the 12 images"):
        index.search([SCENES[0]], where=[0, 1])
    assert len(index.search([SCENES[0]], where="nothing")) == 0


def test_tables_are_of_polars_where_scikit_learn_says_so(index):
    polars = pytest.importorskip("polars")
    with sklearn.config_context(transform_output="polars"):
        assert isinstance(index.search([SCENES[0]]), polars.DataFrame)
        assert isinstance(index.duplicates(), polars.DataFrame)


def test_queries_that_cannot_be_read_are_an_error(index):
    with pytest.raises(ImageBatchError, match=r"gone\.png"):
        index.search(["photos/1.png", "gone.png"])


def test_an_update_encodes_what_is_new_and_knows_the_rest_by_content(index, place):
    shutil.copy("photos/1.png", "photos/copy.png")
    os.rename("photos/2.png", "photos/renamed.png")
    os.remove("photos/3.png")
    shutil.copy("photos/5.png", "photos/4.png")
    os.utime("photos/6.png", (5, 5))
    Image.fromarray(255 - SCENES[7]).save("photos/7.png")
    Image.fromarray(SCENES[7]).save("photos/bad.png")
    summary = index.update("photos")
    # Copied, renamed, overwritten by another, touched, and what was 7 before: known.
    assert summary == UpdateSummary(1, 5, 7, 2, 0)
    assert index.update("photos") == UpdateSummary(n_unchanged=13)
    assert len(index.failures) == 0
    found = index.search([SCENES[5], SCENES[7], SCENES[3]], n_neighbors=1)
    assert found["image"].tolist()[:2] in (
        ["photos/4.png", "photos/bad.png"],
        ["photos/5.png", "photos/bad.png"],
    )
    assert found["similarity"].tolist()[2] < 0.99


def test_files_that_changed_without_a_trace_are_known_where_all_are_read(index, monkeypatch):
    stamps = {path: file_stamp(path) for path in index.images}
    Image.fromarray(255 - SCENES[1]).save("photos/1.png")
    monkeypatch.setattr("skdeepenc.search.image_pass.file_stamp", stamps.get)
    assert index.update("photos") == UpdateSummary(n_unchanged=12, n_failures=1)
    assert index.update("photos", reread=True) == UpdateSummary(1, 0, 11, 0, 1)
    assert index.update("photos", reread=True) == UpdateSummary(n_unchanged=12, n_failures=1)
    assert index.search([255 - SCENES[1]], 1)["image"].tolist() == ["photos/1.png"]
    stamps["photos/1.png"] = None  # as of what lies in an archive
    shutil.copy("photos/1.png", "photos/twin.png")
    assert index.update("photos") == UpdateSummary(0, 1, 12, 0, 1)
    assert index.update("photos") == UpdateSummary(0, 0, 13, 0, 1)


def test_without_pyarrow_nothing_is_begun(encoder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r"An image index needs pyarrow"):
        ImageIndex.build(encoder, list(SCENES), tmp_path / "index")
    assert not (tmp_path / "index").exists()


def test_a_bar_counts_every_image_once(index, place, capsys):
    shutil.copy(place / "photos" / "0.png", place / "photos" / "copy.png")
    Image.fromarray(SCENES[0][::-1]).save(place / "photos" / "new.png")
    index.update("photos", verbose=2)
    assert "15/15" in capsys.readouterr().err  # 12 known, a copy, a new one, and one not an image


def test_an_update_changes_nothing_where_nothing_changed(index):
    before = sorted(os.listdir("index")), os.stat("index/index.json").st_mtime_ns
    index.update("photos")
    assert (sorted(os.listdir("index")), os.stat("index/index.json").st_mtime_ns) == before


def test_images_are_added_and_removed(index):
    assert index.add(list(255 - SCENES[:2])).n_encoded == 2
    assert index.images[-2:] == ["image 0", "image 1"]
    assert index.add([SCENES[2] // 2]).n_encoded == 1
    assert index.search([255 - SCENES[1]], 1)["image"].tolist() == ["image 1"]
    index.remove("image 1")
    index.remove(["image 2", "photos/1.png"])
    assert len(index) == 12
    assert "image 1" not in index.images
    assert len(ImageIndex.open("index")) == 12
    with pytest.raises(StorageError, match="no image 'image 1'"):
        index.remove(["image 0", "image 1"])
    assert "image 0" in index.images


def test_an_index_may_become_empty_and_grow_again(index):
    index.remove(index.images)
    assert len(index) == 0
    assert len(index.search([SCENES[0]])) == len(index.duplicates()) == 0
    index.add([SCENES[0]])
    assert index.images == ["image 0"]


def test_copies_are_found(index):
    Image.open("photos/1.png").save("photos/1.jpg", quality=95)
    shutil.copy("photos/2.png", "photos/b.png")
    shutil.copy("photos/2.png", "photos/c.png")
    index.update("photos")
    table = index.duplicates()
    assert list(table.columns) == ["group", "image", "similarity"]
    groups = table.groupby("group")["image"].apply(set).tolist()
    assert groups == [
        {"photos/2.png", "photos/b.png", "photos/c.png"},
        {"photos/1.png", "photos/1.jpg"},
    ]
    assert len(index.duplicates(threshold=0.0)) > 10


def test_many_small_changes_come_to_few_files(index, monkeypatch):
    monkeypatch.setattr("skdeepenc.search.index_writer.ROWS_A_SEGMENT", 20)
    before = set(index.images)
    for number in range(12):
        index.add([np.roll(SCENES[number], 9, axis=0)])
    assert len(os.listdir("index")) < 24
    assert set(index.images) == before | {f"image {n}" for n in range(12)}
    found = index.search([np.roll(SCENES[n], 9, axis=0) for n in range(12)], 1)
    assert found["image"].tolist() == [f"image {n}" for n in range(12)]


def test_a_reader_keeps_its_state_while_a_writer_changes_it(index):
    reader = ImageIndex.open("index")
    index.remove(index.images[:9])
    index.add([SCENES[0]])
    assert len(reader) == 12
    assert reader.search("photos/3.png", 1)["image"].tolist() == ["photos/3.png"]
    assert len(pickle.loads(pickle.dumps(reader))) == len(index) == 4


def test_large_indexes_are_read_block_by_block(index):
    expected = index.search(list(SCENES[:3]), 5)
    index = ImageIndex.open("index")
    with sklearn.config_context(working_memory=1e-3):
        found = index.search(list(SCENES[:3]), 5)
    assert found["image"].tolist() == expected["image"].tolist()
    assert found["similarity"].tolist() == pytest.approx(expected["similarity"].tolist(), abs=1e-5)


@pytest.mark.parametrize("last", [NearestNeighborRanker(), LinearSVC()])
def test_what_is_not_fitted_is_fitted_and_its_last_step_left_out(last, tmp_path):
    index = ImageIndex.build(pooled(last), list(SCENES), tmp_path / "index")
    assert index.images == [f"image {n}" for n in range(12)]


def test_a_saved_ranker_is_left_out_too(tmp_path):
    pipeline = pooled(NearestNeighborRanker()).fit(list(SCENES[:2]))
    save(pipeline, tmp_path / "ranker.skops")
    index = ImageIndex.build(tmp_path / "ranker.skops", list(SCENES[:3]), tmp_path / "index")
    assert "values per image 224" in repr(index)


def test_an_index_holds_the_network_that_its_encoder_was_saved_without(tmp_path):
    network = tmp_path / "network.onnx"
    network.write_bytes(Backbone("embedded").content())
    pipeline = make_pipeline(ActivationExtractor(network, layers="conv5"), GlobalPooler())
    save(pipeline.fit(list(SCENES[:2])), tmp_path / "encoder.skops")
    ImageIndex.build(tmp_path / "encoder.skops", list(SCENES[:3]), tmp_path / "index")
    network.unlink()
    assert len(ImageIndex.open(tmp_path / "index").search([SCENES[1]], 1)) == 1


def test_rankers_that_compare_otherwise_are_named(tmp_path):
    pipeline = pooled(NearestNeighborRanker(metric="euclidean")).fit(list(SCENES))
    with pytest.warns(DegenerateDataWarning, match="by their cosine, not as NearestNeighborRanker"):
        ImageIndex.build(pipeline, list(SCENES), tmp_path / "index")
    with pytest.raises(ValueError, match="put an encoder behind it"):
        ImageIndex.build(pipeline[:1], list(SCENES), tmp_path / "maps")


def test_an_exported_graph_encodes(tmp_path, encoder):
    to_onnx(encoder, tmp_path / "encoder.onnx", input="pixels")
    index = ImageIndex.build(tmp_path / "encoder.onnx", list(SCENES[:3]), tmp_path / "index")
    assert index.search([SCENES[1]], 1)["image"].tolist() == ["image 1"]
    assert "encoder.onnx" in index._repr_html_()


def test_an_index_of_shards_is_that_of_the_images(index, encoder):
    encode(encoder, "photos", "shards", shard_size=5)
    other = ImageIndex.from_shards(encoder, "shards", "other")
    assert sorted(other.images) == sorted(index.images)
    assert other.failures["image"].tolist() == ["photos/bad.png"]
    found, expected = (each.search(list(SCENES[:2]), 4) for each in (other, index))
    assert found["image"].tolist() == expected["image"].tolist()
    assert other.update("photos").n_encoded == 0


def test_shards_of_another_encoder_are_refused(place, encoder):
    encode(encoder, "photos", "shards")
    other = make_pipeline(ActivationExtractor(layers="conv5"), GlobalPooler(method="max"))
    with pytest.raises(StorageError, match="another encoder"):
        ImageIndex.from_shards(other.fit(list(SCENES[:2])), "shards", "other")
    with pytest.raises(StorageError, match="not an index"):
        ImageIndex.open("other")
