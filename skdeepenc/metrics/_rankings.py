"""What every protocol asks of its rankings, checked at the door.

A measure that is fed similarities instead of rankings, or a ranking cut off before the last
positive, still yields a number, and nobody sees that it is wrong. So we refuse such input here.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skdeepenc._typing import ItemLists, Items


def check_ranking(ranked: Items, name: str = "ranked") -> NDArray[Any]:
    """Return one ranking as a 1-D array of gallery indices or names, each named once."""
    ranked = as_items(ranked, name)
    if ranked.size == 0:
        raise ValueError(f"{name} is empty: rank the gallery first.")
    if np.unique(ranked).size < ranked.size:
        raise ValueError(f"{name} names an image twice: a ranking holds every image once.")
    return ranked


def as_items(items: Items, name: str, like: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return gallery indices or names as a 1-D array; an empty list is given the type of `like`."""
    items = np.asarray(items)
    if items.ndim != 1:
        raise ValueError(
            f"{name} must be a flat list of images, not an array of shape {items.shape}."
        )
    if items.size == 0 and like is not None:
        return np.empty(0, dtype=like.dtype)
    if items.size and items.dtype.kind not in "iuUSO":
        raise ValueError(
            f"{name} must hold gallery indices or names, not values of type {items.dtype}; "
            "turn similarities into a ranking with `np.argsort(-similarities)`."
        )
    if like is not None and (items.dtype.kind in "iu") != (like.dtype.kind in "iu"):
        raise ValueError(f"{name} mixes indices and names: use one of them, as the ranking does.")
    return items


def check_query(
    ranked: Items, positives: Items, junk: Items = (), name: str = "ranked"
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return a ranking, its distinct positives and its junk, or say what cannot be measured."""
    ranked = check_ranking(ranked, name)
    positives = np.unique(as_items(positives, "positives", like=ranked))
    junk = np.unique(as_items(junk, "junk", like=ranked))
    both = np.intersect1d(positives, junk)
    if both.size:
        raise ValueError(f"{_some(both)} of {name} are positive and junk at once.")
    absent = np.setdiff1d(positives, ranked)
    if absent.size:
        raise ValueError(
            f"The positives {_some(absent)} are not in {name}: rank the whole gallery "
            "(`n_neighbors=None`), or take from the positives what the gallery does not hold."
        )
    return ranked, positives, junk


def check_queries(rankings: ItemLists, **lists: ItemLists | None) -> list[ItemLists]:
    """Return the rankings and each list of `lists` as sequences with one entry per query."""
    rankings = _as_sequence(rankings, "rankings")
    if len(rankings) == 0:
        raise ValueError("rankings is empty: there is no query to measure.")
    checked = [rankings]
    for name, items in lists.items():
        items = [()] * len(rankings) if items is None else _as_sequence(items, name)
        if len(items) != len(rankings):
            raise ValueError(
                f"{name} has {len(items)} entries and rankings has {len(rankings)}: "
                "give one for each query."
            )
        checked.append(items)
    return checked


def hit_ranks(
    ranked: NDArray[Any], positives: NDArray[Any], junk: NDArray[Any]
) -> NDArray[np.intp]:
    """Return at which ranks, from 0 and not counting junk, a checked ranking has its positives."""
    kept = ranked[~np.isin(ranked, junk)] if len(junk) else ranked
    return np.flatnonzero(np.isin(kept, positives))


def _as_sequence(items: ItemLists, name: str) -> ItemLists:
    if isinstance(items, dict | str) or not hasattr(items, "__len__"):
        raise ValueError(f"{name} must be a sequence with one entry per query.")
    return items


def _some(items: NDArray[Any], limit: int = 5) -> str:
    shown = ", ".join(repr(item) for item in items[:limit].tolist())
    return shown if items.size <= limit else f"{shown} and {items.size - limit} more"
