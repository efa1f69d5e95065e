"""Why two images match: what each of their positions adds to the similarity, as numbers.

A similarity that is a sum over positions or regions is split over them exactly, on both sides: once
over the query's positions with the result as it is, once over the result's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import FeatureUnion

from skdeepenc._typing import Floats, ImageSource
from skdeepenc.retrieval import AdaptiveChannelRanker, ASMKRanker, NearestNeighborRanker

__all__ = ["Match", "match_contributions"]


@dataclass(frozen=True)
class Match:
    """How similar two images are, and what each position adds.

    Parameters
    ----------
    similarity : float
        The similarity of the two images.
    query, result : sequence of ndarray of shape (H, W)
        What each position of the query, and of the result, adds to it: a map for each scale and
        encoder. The sum of all values of either side is the similarity.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.inspection import Match
    >>> match = Match(0.5, query=[np.array([[0.5, 0.0]])], result=[np.array([[0.2, 0.3]])])
    >>> match.query[0].sum() == match.similarity
    np.True_
    """

    similarity: float
    query: Sequence[Floats]
    result: Sequence[Floats]


def match_contributions(pipeline: Any, query: ImageSource, result: ImageSource) -> Match:
    """Split the similarity of two images over the positions of each.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted: an extractor, an encoder with `contributions` (or a `FeatureUnion` of such) and,
        if it has one, a ranker, which says what is similar: `NearestNeighborRanker` by "cosine" or
        "inner_product", or `AdaptiveChannelRanker`. Without a ranker it is the cosine. Or an
        extractor and an `ASMKRanker`, which takes the maps themselves.
    query, result : path, bytes, PIL.Image.Image or array
        The two images; or what the pipeline takes of one, where it has no extractor.

    Returns
    -------
    Match
        The similarity, and what each position adds to it.

    Raises
    ------
    ValueError
        If the pipeline has no such encoder, or its similarity is not a sum.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from skdeepenc import GlobalPooler, NearestNeighborRanker
    >>> from skdeepenc.inspection import match_contributions
    >>> maps = np.array([[[[3.0, 0.0], [0.0, 4.0]]], [[[1.0, 0.0], [1.0, 0.0]]]])
    >>> pipeline = make_pipeline(GlobalPooler(), NearestNeighborRanker()).fit(maps)
    >>> match = match_contributions(pipeline, maps[0], maps[1])
    >>> round(match.similarity, 2), [share.round(2).tolist() for share in match.query]
    (0.6, [[[0.6, 0.0]]])
    """
    before, encoders, ranker = _split(pipeline)
    # One by one: images of a batch may have no scales or sizes in common.
    maps = [before.transform([image]) if before else [image] for image in (query, result)]
    if isinstance(ranker, ASMKRanker):
        return Match(*ranker.contributions(*maps))
    vectors = [[encoder.transform(each)[0] for encoder in encoders] for each in maps]
    joined = [np.concatenate(parts) for parts in vectors]
    similarity, directions = _take_apart(ranker, *joined)
    ends = np.cumsum([len(part) for part in vectors[0]])[:-1]
    shares = [
        [
            share
            for encoder, part in zip(encoders, np.split(direction, ends), strict=True)
            if part.any()
            for share in encoder.contributions(each, part[None])[0]
        ]
        for each, direction in zip(maps, directions, strict=True)
    ]
    return Match(float(similarity), *shares)


def _split(pipeline):
    """Return the steps that make maps (or None), the encoders, and the ranker or None."""
    steps = [step for _, step in getattr(pipeline, "steps", [("encoder", pipeline)])]
    if isinstance(steps[-1], ASMKRanker):
        return pipeline[:-1] if steps[1:] else None, [], steps[-1]
    is_last = not (hasattr(steps[-1], "transform") and _encoders(steps[-1]))
    place = len(steps) - 1 - is_last
    encoders = _encoders(steps[place]) if place >= 0 else []
    if not encoders:
        names = ", ".join(type(step).__name__ for step in steps)
        raise ValueError(
            "A match is explained by a Pipeline of an extractor, an encoder with contributions "
            "(GlobalPooler, MOPVLADEncoder, CrossLayerPooler, ClusterMAC, or a FeatureUnion of "
            f"them) and at most one step behind it, or an ASMKRanker; got {names}."
        )
    last = steps[-1] if is_last and hasattr(steps[-1], "rank") else None
    return pipeline[:place] if place else None, encoders, last


def _encoders(step):
    """Return the encoders of a step, all of which split; empty if one does not."""
    parts = [step]
    if isinstance(step, FeatureUnion):
        parts = [part for _, part in step.transformer_list if part != "drop"]
    return parts if all(hasattr(part, "contributions") for part in parts) else []


def _take_apart(ranker, query, result):
    """Return the similarity of two vectors, and the direction that gives it from either."""
    if ranker is None or isinstance(ranker, NearestNeighborRanker):
        metric = "cosine" if ranker is None else ranker.metric
        if metric in ("cosine", "inner_product"):
            length = np.linalg.norm(query) * np.linalg.norm(result) if metric == "cosine" else 1
            length = length or 1
            return query @ result / length, (result / length, query / length)
    if isinstance(ranker, AdaptiveChannelRanker):
        return _take_channels_apart(ranker, query, result)
    raise ValueError(
        f"The similarity of {ranker!r} is not a sum over positions: NearestNeighborRanker by "
        "cosine or inner product and AdaptiveChannelRanker have one."
    )


def _take_channels_apart(ranker, query, result):
    """Do so for the guidance channels that the query activates most."""
    n_channels = ranker.n_guidance_channels or len(query)
    activations = query[-n_channels:]
    n_values = len(query) if ranker.n_guidance_channels is None else len(query) - n_channels
    kept = np.zeros(n_channels, dtype=bool)
    kept[np.argsort(-activations, kind="stable")[: ranker.n_channels_]] = True
    kept = np.repeat(kept, n_values // n_channels)
    pair = [np.where(kept, vector[:n_values], 0) for vector in (query, result)]
    sides = pair if ranker.quantize is None else [np.sign(vector) for vector in pair]
    # A sign is the value by its magnitude.
    gains = [
        np.divide(side, vector, out=np.zeros_like(vector), where=vector != 0)
        for side, vector in zip(sides, pair, strict=True)
    ]
    directions = (sides[1] * gains[0], sides[0] * gains[1])
    length = np.linalg.norm(sides[0]) * _length(ranker, result[:n_values])
    similarity, averages = _take_averages_apart(
        ranker.average_weight * length, activations, result[-n_channels:]
    )
    whole = [np.pad(each, (0, len(query) - n_values)) for each in directions]
    for direction, average in zip(whole, averages, strict=True):
        direction[-n_channels:] += average
    return sides[0] @ sides[1] + similarity, whole


def _length(ranker, vector):
    return np.linalg.norm(vector if ranker.quantize is None else np.sign(vector))


def _take_averages_apart(weight, query, result):
    """Do so for a weighed cosine of average activations."""
    lengths = np.linalg.norm(query) * np.linalg.norm(result)
    weight = weight / lengths if lengths else 0.0
    return weight * (query @ result), (weight * result, weight * query)
