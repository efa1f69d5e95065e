"""Very large indexes: most of the exact answer, from few comparisons."""

import numpy as np
import pytest
from search.indexed_scenes import SCENES, pooled

from skdeepenc.exceptions import StorageError
from skdeepenc.functional.normalize import unit_rows
from skdeepenc.search import ImageIndex
from skdeepenc.search.index_writer import IndexWriter, locked
from skdeepenc.search.snapshot import Snapshot

pytest.importorskip("faiss")
pytest.importorskip("pyarrow")
N_DRAWN, N_FEATURES = 3000, 224


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Twelve scenes and many drawn vectors, which pass as very many."""
    monkeypatch.setattr("skdeepenc.search.approximate.N_CANDIDATES", 200)
    folder = tmp_path / "index"
    ImageIndex.build(pooled(), list(SCENES), folder)
    rng = np.random.default_rng(0)
    vectors = np.abs(rng.normal(size=(30, N_FEATURES)))[rng.integers(30, size=N_DRAWN)]
    vectors += 0.3 * rng.normal(size=vectors.shape)
    rows = [(f"drawn {number}", str(number), 8, 8, None) for number in range(N_DRAWN)]
    with locked(folder):
        IndexWriter(folder).commit([(rows, unit_rows(vectors.astype(np.float32)))])
    monkeypatch.setattr("skdeepenc.search.approximate.FEWEST_ROWS", 1000)
    index = ImageIndex.open(folder)
    index.add([SCENES[0] // 2])
    return index


def test_most_of_the_exact_answer_is_found_and_the_share_is_said(index):
    snapshot = Snapshot(index.folder)
    assert snapshot.manifest.neighbors.recall >= 0.95
    assert "finds 9" in repr(index) or "finds 100" in repr(index)
    found = index.search(list(SCENES), 5)
    assert found["image"].tolist()[::5] == [f"image {number}" for number in range(12)]
    exact = index.search(list(SCENES), 5, where="*")
    assert np.isin(found["image"], exact["image"]).mean() > 0.9


def test_what_comes_and_goes_is_compared_as_well(index):
    index.add([255 - SCENES[3]])
    assert Snapshot(index.folder).manifest.neighbors.n_rows == N_DRAWN + 13
    assert index.search([255 - SCENES[3]], 1)["image"].tolist() == ["image 13"]
    index.remove([f"image {number}" for number in range(12)])
    assert not set(index.search([SCENES[4]], 20)["image"]) & {f"image {n}" for n in range(12)}


def test_a_damaged_file_is_not_given_to_faiss(index):
    (path,) = index.folder.glob("neighbors-*")
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(StorageError, match="damaged"):
        ImageIndex.open(index.folder).search([SCENES[0]])


def test_copies_among_very_many_are_those_of_the_exact_search(index, monkeypatch):
    expected = index.duplicates(0.98)
    monkeypatch.setattr("skdeepenc.search.approximate.find_spec", lambda name: None)
    assert set(index.duplicates(0.98)["image"]) == set(expected["image"])
