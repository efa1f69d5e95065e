"""Rankers that no graph can say: an error tells what to export instead.

They compare the images of a gallery with one another, the positions of maps, or hold an index of
another library.
"""

from skdeepenc.exceptions import ExportError
from skdeepenc.export.registry import register
from skdeepenc.retrieval import (
    ASMKRanker,
    DiffusionRanker,
    IndexedRanker,
    KReciprocalRanker,
    LayerFusionRanker,
    LocalizingRanker,
    LocalRanker,
    RefiningRanker,
)

_OF_MAPS = (ASMKRanker, LocalizingRanker, LocalRanker)
_OTHERS = (
    DiffusionRanker,
    IndexedRanker,
    KReciprocalRanker,
    LayerFusionRanker,
    RefiningRanker,
)
_INSTEAD = "end the pipeline in {} NearestNeighborRanker, whose graph returns neighbours."


def refuse_maps(g, ranker, x):
    """Raise an error: without this ranker there are only maps, which no output has."""
    raise ExportError(
        f"{type(ranker).__name__} has no graph: it matches maps position by position. Rank in "
        f"Python, or {_INSTEAD.format('an encoder and a')}"
    )


def refuse(g, ranker, x):
    """Raise an error: what comes before this ranker can be exported without it."""
    raise ExportError(
        f"{type(ranker).__name__} has no graph. Export the pipeline without it, pipeline[:-1], and "
        f"rank in Python what the file returns, or {_INSTEAD.format('a')}"
    )


for ranker in _OF_MAPS:
    register(ranker, refuse_maps)
for other in _OTHERS:
    register(other, refuse)
