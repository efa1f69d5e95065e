"""Several layers' vectors of the same images, side by side.

They come as one array stacked from left to right, as `FeatureUnion` makes it, or as a list or dict
with one block per layer. Below the door there is one form: a tuple of blocks.
"""

from typing import Any, TypeGuard

import numpy as np
from scipy import sparse
from sklearn.utils import check_array, check_consistent_length

from skdeepenc.retrieval.products import is_sparse, whole_rows


class Blocks:
    """Blocks (n_images, width) of the same images, dense or sparse; an index takes rows of all.

    Parameters
    ----------
    blocks : iterable of {ndarray, sparse array}
        One per layer, high to low.
    """

    def __init__(self, blocks):
        self.blocks = tuple(blocks)
        self.shape = (self.blocks[0].shape[0], int(self.widths.sum()))

    def __setstate__(self, state):
        self.blocks = tuple(map(whole_rows, state["blocks"]))
        self.shape = state["shape"]

    @property
    def widths(self):
        """The number of columns of each block."""
        return np.array([block.shape[1] for block in self.blocks])

    def __iter__(self):
        return iter(self.blocks)

    def __len__(self):
        return len(self.blocks)

    def __getitem__(self, images):
        return Blocks(block[images] for block in self.blocks)

    def joined(self, others):
        """Return these images and others behind them, block by block of the same kind."""
        return Blocks(map(_stacked, self.blocks, others.blocks))


def has_block_names(X: Any) -> TypeGuard[dict[str, Any]]:
    """Say whether X is a dict of blocks; a DOK matrix is a dict too, but no such dict."""
    return isinstance(X, dict) and not is_sparse(X)


def is_block_container(X):
    """Say whether X is a dict or list of 2-D blocks, not one 2-D array."""
    if has_block_names(X):
        return True
    return (
        isinstance(X, list | tuple)
        and len(X) > 0
        and all(np.ndim(b) == 2 or is_sparse(b) for b in X)
    )


def blocks_of_container(X, names=None):
    """Validate a list or dict of blocks; a dict is read in the order of `names`, or its own."""
    if has_block_names(X):
        missing = [name for name in names or () if name not in X]
        if missing:
            raise ValueError(f"The blocks {missing} are missing; given are {list(X)}.")
        X = [X[name] for name in names or X]
    if len(X) == 0:
        raise ValueError("There are no blocks: give at least one 2-D array.")
    blocks = [
        check_array(
            block,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            input_name=f"block {position}",
        )
        for position, block in enumerate(X)
    ]
    check_consistent_length(*blocks)
    return Blocks(_as_array(block) for block in blocks)


def split_columns(X, widths):
    """Cut a 2-D array into blocks of the given widths, from left to right."""
    widths = [X.shape[1]] if widths is None else [int(width) for width in widths]
    if sum(widths) != X.shape[1] or min(widths) < 1:
        raise ValueError(
            f"block_widths={widths} are {sum(widths)} columns and X has {X.shape[1]}: "
            "give the width of each block."
        )
    ends = np.cumsum(widths)
    return Blocks(
        _as_array(X[:, end - width : end]) for width, end in zip(widths, ends, strict=True)
    )


def _stacked(first, second):
    stack = sparse.vstack if is_sparse(first) else np.concatenate
    return stack([first, second])


def _as_array(block):
    """Return a block dense, unless it is sparse and smaller so."""
    if not is_sparse(block):
        return block
    # FeatureUnion makes everything sparse as soon as one part is.
    sparse_bytes = block.nnz * (block.dtype.itemsize + block.indices.itemsize)
    if sparse_bytes >= block.shape[0] * block.shape[1] * block.dtype.itemsize:
        return block.toarray()
    return sparse.csr_array(block)
