"""Three-valued vectors as bits: packing them, and comparing without unpacking.

A value is two bits, "not negative" and "positive": 11, 10 and 00 for 1, 0 and -1. Where a query is
not zero, the bits of a code that differ from the query's count 0 for an equal sign, 1 for a zero
and 2 for the opposite sign, so that ::

    dot(query, code) = nonzeros(query) - popcount((code ^ query) & mask(query))

One exclusive or, at most one mask, one popcount: as much work as a Hamming distance.
"""

import numpy as np

from skdeepenc.arrays.tiles import tiles
from skdeepenc.retrieval import differing_bits

WORD = np.dtype("<u8")  # little-endian on every machine, so that files travel

# Smaller blocks of codes spend the time on calls, larger ones leave the cache.
_BLOCK_BYTES = 1 << 21


def words_for(n_values):
    """Count the words of one code: 64 values take two, side by side."""
    return 2 * -(-n_values // 64)


def pack_signs(X, words):
    """Pack the signs of `X` into the rows of `words`, a bounded number of rows at a time."""
    for rows in tiles(len(X), max(1, _BLOCK_BYTES // max(X.shape[1], 1))):
        # Bits after the last value become "not negative" and not "positive": zeros.
        words[rows, 0::2] = ~_pack(X[rows] < 0)
        words[rows, 1::2] = _pack(X[rows] > 0)


def unpack_signs(words, n_values):
    """Return the values of the codes as int8."""
    not_negative, positive = _unpack(words[:, 0::2]), _unpack(words[:, 1::2])
    return (not_negative + positive - 1)[:, :n_values]


def count_nonzeros(words):
    """Count the values of each code that are not zero: their two bits are equal."""
    differ = np.bitwise_count(words[:, 0::2] ^ words[:, 1::2]).sum(axis=1, dtype=np.int64)
    return 64 * (words.shape[1] // 2) - differ


def compare(words, queries, result):
    """Fill `result` with the similarity of every query and code, by blocks that stay in cache."""
    words = np.asarray(words)  # a memory map's own slicing costs more than the arithmetic
    n_words = words.shape[1]
    rows_in_cache = max(1, _BLOCK_BYTES // (n_words * WORD.itemsize))
    picked = np.empty(rows_in_cache * n_words, WORD)
    count_differences = differing_bits.difference_counter(picked.size)
    for rows in tiles(len(words), rows_in_cache):
        for row, query in zip(result, queries, strict=True):
            needed = query.pick(words[rows], picked)
            row[rows] = query.n_nonzeros - count_differences(needed, query)


class TernaryQuery:
    """One code as a question: its words, the mask of its nonzeros, and which words it needs."""

    def __init__(self, words):
        mask = ~(words[0::2] ^ words[1::2])
        active = mask != 0
        # Picking words out costs about what comparing them does: it pays for sparse queries only.
        self.granule = _granule(active) if active.mean() < 0.5 else None
        if self.granule is not None:
            self.granules = np.flatnonzero(active.reshape(-1, self.granule)[:, 0])
            words, mask = words.reshape(-1, 2)[active].ravel(), mask[active]
        self.words = words
        self.mask = np.repeat(mask, 2)
        self.n_nonzeros = int(np.bitwise_count(mask).sum(dtype=np.int64))
        self.n_zeros = 64 * len(mask) - self.n_nonzeros
        # The query as it is, and with the bits of its zeros flipped if it has any.
        self.versions = np.stack([words, words ^ ~self.mask])[: 1 + (self.n_zeros > 0)]

    def pick(self, block, out):
        """Pick the words that the query needs, into the flat `out` where these are not all."""
        if self.granule is None:
            return block
        picked = out[: len(block) * len(self.words)].reshape(len(block), len(self.words))
        shape = len(block), -1, 2 * self.granule
        # Only with "clip" does numpy write straight into `out`.
        block.reshape(shape).take(self.granules, axis=1, out=picked.reshape(shape), mode="clip")
        return picked


def _granule(active):
    """Find the largest power of two of words that are needed or not needed together."""
    size = 1
    while active.size % (2 * size) == 0:
        together = active.reshape(-1, 2 * size)
        if not np.array_equal(together.any(axis=1), together.all(axis=1)):
            break
        size *= 2
    return size


def _pack(bits):
    packed = np.packbits(bits, axis=1, bitorder="little")
    n_bytes = words_for(bits.shape[1]) // 2 * WORD.itemsize
    return np.pad(packed, ((0, 0), (0, n_bytes - packed.shape[1]))).view(WORD)


def _unpack(plane):
    as_bytes = np.ascontiguousarray(plane, WORD).view(np.uint8)
    return np.unpackbits(as_bytes, axis=1, bitorder="little").view(np.int8)
