import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal
from sklearn import config_context

from skdeepenc.exceptions import StorageError
from skdeepenc.retrieval import SignCodes, differing_bits

WIDTHS = [1, 63, 64, 65, 128, 1000]


def random_signs(n, n_values, seed=0):
    return np.random.default_rng(seed).integers(-1, 2, size=(n, n_values)).astype(np.int8)


def ternary_dot(queries, gallery):
    """Return the definition, in whole numbers."""
    return queries.astype(np.int64) @ gallery.astype(np.int64).T


def test_two_bits_a_value():
    codes = SignCodes.encode(random_signs(10, 262_144))
    assert codes.nbytes == 10 * 262_144 * 2 // 8
    assert codes.shape == (10, 262_144)
    assert len(codes) == 10


def test_hand_worked_codes():
    codes = SignCodes.encode([[2.0, 0.0, -3.0]])
    not_negative, positive = codes._words[0]
    assert positive == 0b001
    assert not_negative == 0xFFFF_FFFF_FFFF_FFFF - 0b100


@pytest.mark.parametrize("n_values", WIDTHS)
def test_decoding_gives_the_signs_back(n_values):
    signs = random_signs(7, n_values)
    assert_array_equal(SignCodes.encode(signs * 0.37).decode(), signs)


@pytest.mark.parametrize("n_values", WIDTHS)
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_similarity_is_the_ternary_dot_product(n_values, n_jobs):
    gallery, queries = random_signs(50, n_values), random_signs(6, n_values, seed=1)
    codes = SignCodes.encode(gallery)
    expected = ternary_dot(queries, gallery)
    assert_array_equal(codes.similarity(queries, n_jobs=n_jobs), expected)
    assert_array_equal(codes.similarity(SignCodes.encode(queries)), expected)


@pytest.mark.parametrize("n_values", WIDTHS)
def test_without_faiss_the_similarity_is_the_same(monkeypatch, n_values):
    monkeypatch.setattr(differing_bits, "find_spec", lambda name: None)
    gallery, queries = random_signs(50, n_values), random_signs(6, n_values, seed=1)
    queries[0], queries[1, : n_values // 2], queries[2, n_values // 4 :] = 1, -1, 0
    codes = SignCodes.encode(gallery)
    assert_array_equal(codes.similarity(queries), ternary_dot(queries, gallery))
    assert_array_equal(codes[::3].similarity(queries), ternary_dot(queries, gallery[::3]))


def test_codes_that_do_not_lie_side_by_side_are_compared():
    gallery, queries = random_signs(50, 100), random_signs(6, 100, seed=1)
    codes = SignCodes.encode(gallery)[::3]
    assert_array_equal(codes.similarity(queries), ternary_dot(queries, gallery[::3]))


@given(st.data())
def test_similarity_is_exact_on_any_signs(data):
    n_values = data.draw(st.integers(1, 200))
    signs = arrays(np.int8, (5, n_values), elements=st.integers(-1, 1))
    gallery, queries = data.draw(signs), data.draw(signs)
    assert_array_equal(SignCodes.encode(gallery).similarity(queries), ternary_dot(queries, gallery))


@pytest.mark.parametrize("channel_width", [64, 128, 96, 512])
def test_queries_restricted_to_channels_stay_exact(channel_width):
    gallery, query = (
        random_signs(30, 16 * channel_width),
        random_signs(1, 16 * channel_width, seed=1),
    )
    channels = query.reshape(16, channel_width)
    channels[np.random.default_rng(0).permutation(16)[:13]] = 0
    assert_array_equal(SignCodes.encode(gallery).similarity(query), ternary_dot(query, gallery))


def test_queries_without_zeros_stay_exact():
    gallery = random_signs(30, 130)
    query = np.where(random_signs(2, 130, seed=1) > 0, 1, -1)
    assert_array_equal(SignCodes.encode(gallery).similarity(query), ternary_dot(query, gallery))


def test_a_query_of_zeros_is_similar_to_nothing():
    codes = SignCodes.encode(random_signs(4, 100))
    assert_array_equal(codes.similarity(np.zeros((1, 100))), np.zeros((1, 4)))


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_search_sorts_by_similarity_then_position(n_jobs):
    gallery, queries = random_signs(300, 20), random_signs(5, 20, seed=1)
    dots = ternary_dot(queries, gallery)
    expected = np.argsort(-dots, axis=1, kind="stable")
    similarity, indices = SignCodes.encode(gallery).search(queries, n_neighbors=40, n_jobs=n_jobs)
    assert_array_equal(indices, expected[:, :40])
    assert_array_equal(similarity, np.take_along_axis(dots, expected[:, :40], axis=1))


def test_search_returns_all_codes_where_there_are_fewer():
    similarity, indices = SignCodes.encode(random_signs(3, 9)).search(random_signs(2, 9), 10)
    assert similarity.shape == indices.shape == (2, 3)


def test_search_of_no_codes_finds_nothing():
    codes = SignCodes.encode(random_signs(3, 9))[:0]
    assert codes.search(random_signs(2, 9))[1].shape == (2, 0)


def test_saved_codes_are_mapped_and_equal(tmp_path):
    gallery, queries = random_signs(200, 300), random_signs(3, 300, seed=1)
    codes = SignCodes.encode(gallery)
    codes.save(tmp_path / "codes")
    mapped = SignCodes.load(tmp_path / "codes")
    assert isinstance(mapped._words, np.memmap)
    assert_array_equal(mapped.similarity(queries), codes.similarity(queries))
    assert_array_equal(mapped.search(queries)[1], codes.search(queries)[1])
    in_memory = SignCodes.load(tmp_path / "codes", mmap_mode=None)
    assert_array_equal(in_memory.decode(), gallery)


def test_mapped_codes_can_be_saved_over_themselves(tmp_path):
    signs = random_signs(200, 300)
    SignCodes.encode(signs).save(tmp_path)
    SignCodes.load(tmp_path)[50:].save(tmp_path)
    assert_array_equal(SignCodes.load(tmp_path).decode(), signs[50:])


def test_search_does_not_depend_on_its_blocks():
    gallery, queries = random_signs(2000, 6), random_signs(40, 6, seed=1)
    codes = SignCodes.encode(gallery)
    expected = codes.search(queries, 50)
    with config_context(working_memory=0.1):
        small_blocks = codes.search(queries, 50)
    assert_array_equal(small_blocks, expected)


def test_batches_are_packed_into_a_folder(tmp_path):
    signs = random_signs(25, 70)
    codes = SignCodes.encode_batches((signs[i : i + 10] for i in (0, 10, 20)), 25, tmp_path)
    assert_array_equal(codes.decode(), signs)


@pytest.mark.parametrize("n_codes", [20, 30])
def test_batches_of_another_number_are_refused_and_not_loaded(tmp_path, n_codes):
    with pytest.raises(ValueError, match=f"Expected {n_codes} vectors"):
        SignCodes.encode_batches([random_signs(25, 70)], n_codes, tmp_path)
    with pytest.raises(StorageError, match="not hold whole sign codes"):
        SignCodes.load(tmp_path)


def test_batches_of_another_length_are_refused(tmp_path):
    with pytest.raises(ValueError, match="after 2 vectors came 2 of 8"):
        SignCodes.encode_batches([random_signs(2, 9), random_signs(2, 8)], 4, tmp_path)


@pytest.mark.parametrize("rows", [slice(2, 5), [4, 1], np.arange(6) % 2 == 0, 3, -1])
def test_subsets_are_codes(rows):
    signs = random_signs(6, 77)
    assert_array_equal(SignCodes.encode(signs)[rows].decode(), np.atleast_2d(signs[rows]))


@pytest.mark.parametrize("n_values", WIDTHS)
def test_nonzeros_are_counted(n_values):
    signs = random_signs(7, n_values)
    assert_array_equal(SignCodes.encode(signs).count_nonzero(), np.count_nonzero(signs, axis=1))


def test_codes_are_joined_in_order():
    signs = random_signs(9, 77)
    parts = [SignCodes.encode(signs[:4]), SignCodes.encode(signs[4:])]
    assert_array_equal(SignCodes.concatenate(parts).decode(), signs)
    with pytest.raises(ValueError, match="equally many values"):
        SignCodes.concatenate([parts[0], SignCodes.encode(signs[:, :5])])


def test_queries_of_another_length_are_refused():
    with pytest.raises(ValueError, match="Queries have 8 values, the codes 9"):
        SignCodes.encode(random_signs(3, 9)).similarity(random_signs(2, 8))


def test_not_a_number_has_no_sign():
    with pytest.raises(ValueError, match="NaN"):
        SignCodes.encode([[np.nan, 1.0]])


def test_words_that_are_no_codes_are_refused():
    with pytest.raises(ValueError, match=r"rows of 4 unsigned 64-bit words; got shape \(3, 2\)"):
        SignCodes(np.zeros((3, 2), np.uint64), 100)


@pytest.mark.parametrize("damage", ["missing", "truncated", "fewer", "other_json"])
def test_a_folder_that_is_not_whole_is_refused(tmp_path, damage):
    SignCodes.encode(random_signs(20, 300)).save(tmp_path)
    file = tmp_path / "codes.npy"
    if damage == "missing":
        file.unlink()
    elif damage == "truncated":
        file.write_bytes(file.read_bytes()[:-100])
    elif damage == "fewer":
        np.save(file, np.load(file)[:10])
    else:
        (tmp_path / "codes.json").write_text("[]")
    with pytest.raises(StorageError, match=str(tmp_path)):
        SignCodes.load(tmp_path)


def test_repr_names_the_size():
    assert (
        repr(SignCodes.encode(random_signs(2, 64))) == "SignCodes(2 codes of 64 values, 32 bytes)"
    )


def test_damaged_codes_are_found_out_when_all_are_read(tmp_path):
    SignCodes.encode(random_signs(20, 100)).save(tmp_path)
    content = bytearray((tmp_path / "codes.npy").read_bytes())
    content[200] ^= 4
    (tmp_path / "codes.npy").write_bytes(content)
    with pytest.raises(StorageError, match=r"codes\.npy is damaged"):
        SignCodes.load(tmp_path, mmap_mode=None)


@pytest.mark.parametrize("mmap_mode", ["r", None])
def test_a_changed_number_of_values_is_found_out(tmp_path, mmap_mode):
    """It fits as many words, so that only the description's own digest tells."""
    SignCodes.encode(random_signs(20, 100)).save(tmp_path)
    path = tmp_path / "codes.json"
    changed = path.read_text().replace("100", "101")
    assert changed != path.read_text()
    path.write_text(changed)
    with pytest.raises(StorageError, match="changed since it was written"):
        SignCodes.load(tmp_path, mmap_mode)
