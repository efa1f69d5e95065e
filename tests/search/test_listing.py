"""Whatever images are kept in, every worker finds the same list of them."""

import io
import tarfile

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from search.conftest import N_IMAGES

from skdeepenc.exceptions import DataSetError
from skdeepenc.search import encode, read_shards
from skdeepenc.search.listing import list_images

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("fsspec")


@pytest.fixture
def contents(photos):
    return {path.name: path.read_bytes() for path in sorted(photos.iterdir())}


@pytest.fixture
def encoded(pipeline, photos, tmp_path):
    """The vectors of the folder."""
    encode(pipeline, photos, tmp_path / "reference")
    return read_shards(tmp_path / "reference").vectors(0)


def write_tar(path, contents, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def names_in(images, shard_size=100):
    return [[image.name for image in part] for part in list_images(images, shard_size).parts]


def test_archives_of_webdataset_are_read_from_front_to_back(pipeline, contents, encoded, tmp_path):
    names = sorted(contents)
    beside = {"0.json": b"{}", "0.cls": b"3", ".hidden.png": b"x"}
    write_tar(tmp_path / "photos-00.tar", {**beside, **{n: contents[n] for n in names[:3]}})
    write_tar(tmp_path / "photos-01.tar", {n: contents[n] for n in names[3:]})
    archives = tmp_path / "photos-{00..01}.tar"
    assert encode(pipeline, archives, tmp_path / "out", shard_size=2).n_written == 2
    shards = read_shards(tmp_path / "out")
    assert shards.sizes == (3, N_IMAGES - 3)
    assert shards.table(0)["image"].to_pylist() == [
        f"{tmp_path}/photos-00.tar::{name}" for name in names[:3]
    ]
    assert_array_equal(np.concatenate([shard.vectors for shard in shards]), encoded)
    listed = names_in(archives)
    assert names_in(tmp_path / "photos-*.tar") == listed
    assert names_in([tmp_path / "photos-00.tar", tmp_path / "photos-01.tar"]) == listed


def test_compressed_archives_are_read_too_and_nothing_is_unpacked(
    pipeline, contents, encoded, tmp_path
):
    write_tar(tmp_path / "photos.tar.gz", {f"../../{n}": c for n, c in contents.items()}, "w:gz")
    encode(pipeline, tmp_path / "photos.tar.gz", tmp_path / "out")
    shards = read_shards(tmp_path / "out")
    assert_array_equal(shards.vectors(0), encoded)
    assert shards.table(0)["image"][0].as_py().endswith("photos.tar.gz::../../0.png")
    assert not list(tmp_path.parent.glob("*.png"))


@pytest.mark.parametrize("kind", ["bytes", "struct"])
def test_parquet_is_cut_by_rows_and_says_names_where_it_has_them(
    kind, pipeline, contents, encoded, tmp_path
):
    names, values = list(contents), list(contents.values())
    columns = {"label": list(range(N_IMAGES))}
    if kind == "bytes":
        columns |= {"path": names, "jpg": values}
    else:
        columns["image"] = [
            {"bytes": value, "path": name} for name, value in zip(names, values, strict=True)
        ]
    pq.write_table(pa.table(columns), tmp_path / "photos.parquet", row_group_size=3)
    assert encode(pipeline, tmp_path / "photos.parquet", tmp_path / "out", shard_size=2) == (
        encode(pipeline, tmp_path / "photos.parquet", tmp_path / "other", shard_size=2)
    )
    shards = read_shards(tmp_path / "out")
    assert shards.sizes == (2, 2, 2, 1)
    assert shards.listing()["image"].to_pylist() == names
    assert_array_equal(np.concatenate([shard.vectors for shard in shards]), encoded)


def test_rows_without_names_are_called_by_their_number(contents, tmp_path):
    pq.write_table(pa.table({"png": list(contents.values())}), tmp_path / "photos.parquet")
    (names,) = names_in(tmp_path / "photos.parquet")
    assert names == [f"{tmp_path}/photos.parquet#{row}" for row in range(N_IMAGES)]


def test_listings_have_a_path_or_url_per_line(photos, tmp_path):
    paths = [str(path) for path in sorted(photos.iterdir())]
    (tmp_path / "images.txt").write_text("\n".join(paths) + "\n\n")
    assert names_in(tmp_path / "images.txt", 5) == [paths[:5], paths[5:]]


def test_folders_are_searched_for_images_and_else_for_archives(photos, contents, tmp_path):
    (photos / "more").mkdir()
    for name in ("more/a.HEIC", "more/notes.txt", ".hidden.png", "more/a.parquet"):
        (photos / name).write_bytes(b"")
    (names,) = names_in(photos)
    assert names == [*(f"{photos}/{name}" for name in sorted(contents)), f"{photos}/more/a.HEIC"]
    (tmp_path / "archives").mkdir()
    write_tar(tmp_path / "archives/b.tar", contents)
    write_tar(tmp_path / "archives/a.tar", contents)
    assert [len(names) for names in names_in(tmp_path / "archives")] == [N_IMAGES] * 2


def test_images_and_archives_may_be_mixed(contents, photos, tmp_path):
    write_tar(tmp_path / "b.tar", contents)
    parts = names_in([photos / "0.png", tmp_path / "b.tar", np.zeros((4, 4)), b"content"])
    assert [len(names) for names in parts] == [1, N_IMAGES, 2]


def test_the_digest_is_of_the_list_and_of_what_is_in_memory(photos):
    digest = list_images(photos, 3).digest
    (photos / "0.png").write_bytes(b"changed")
    assert list_images(photos, 3).digest == digest
    (photos / "9.png").write_bytes(b"new")
    assert list_images(photos, 3).digest != digest
    one, other = (list_images([pixels], 3).digest for pixels in (np.zeros((4, 4)), np.ones((4, 4))))
    assert one != other


@pytest.mark.parametrize("name", ["photos.tar", "photos.tar.gz", "photos.parquet"])
def test_damaged_archives_are_named(name, pipeline, tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / name).write_bytes(rng.bytes(2000))
    with pytest.raises(DataSetError, match=f"{name} is damaged"):
        encode(pipeline, tmp_path / name, tmp_path / "out")
    with pytest.raises(DataSetError, match="There is no file"):
        list_images([tmp_path / f"other-{name}"], 10)


def test_archives_that_end_too_early_are_named(pipeline, contents, tmp_path):
    write_tar(tmp_path / "photos.tar", contents)
    content = (tmp_path / "photos.tar").read_bytes()
    (tmp_path / "photos.tar").write_bytes(content[:5000])
    with pytest.raises(DataSetError, match=r"photos\.tar is damaged or cut off"):
        encode(pipeline, tmp_path / "photos.tar", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_parquet_without_one_column_of_bytes_is_refused(tmp_path):
    pq.write_table(pa.table({"a": [b"1"], "b": [b"2"]}), tmp_path / "two.parquet")
    with pytest.raises(DataSetError, match=r"2 columns of bytes \(a, b\)"):
        list_images(tmp_path / "two.parquet", 10)


def test_listings_that_are_empty_or_missing_are_named(tmp_path):
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(DataSetError, match=r"empty\.txt is empty"):
        list_images(tmp_path / "empty.txt", 10)
    with pytest.raises(DataSetError, match=r"missing\.txt cannot be read"):
        list_images(tmp_path / "missing.txt", 10)
