"""Which test images only the pipeline knows, and what it decided by."""

from itertools import chain

import numpy as np

from skdeepenc.demo.figure import Rescued
from skdeepenc.images import decode_image


def find_rescued(turn, names, n_shown):
    """Return test images that the pipeline alone knows: of each class the surest, surest first."""
    alone = np.flatnonzero((turn.correct(0) == 0) & (turn.correct(1) > 0))
    if not len(alone):
        return []
    extractor, encoder, classifier = (step for _, step in turn.pipelines[1].steps)
    maps = extractor.transform(turn.take(turn.labelled.test[alone]))
    target = turn.target[alone]
    # Two classes have one row of weights, that of the second.
    weights = classifier.coef_ if len(names) > 2 else np.r_[-classifier.coef_, classifier.coef_]
    scores = (encoder.transform(maps) * weights[target]).sum(axis=1)
    surest = np.argsort(-scores)
    _, firsts = np.unique(target[surest], return_index=True)
    chosen = surest[np.sort(firsts)][:n_shown]
    shares = split_scores(encoder, maps[chosen], weights[target[chosen]])
    return [
        Rescued(
            decode_image(turn.labelled.images[turn.labelled.test[alone[each]]]),
            names[turn.predicted[0][alone[each]]],
            names[target[each]],
            parts,
        )
        for each, parts in zip(chosen, shares, strict=True)
    ]


def split_scores(encoder, maps, directions):
    """Split the products of vectors with directions over positions; of a union, part by part."""
    parts = getattr(encoder, "transformer_list", None)
    if parts is None:
        return encoder.contributions(maps, directions)
    ends = np.cumsum([len(part.get_feature_names_out()) for _, part in parts])[:-1]
    weights = encoder.transformer_weights or {}
    split = [
        part.contributions(maps, weights.get(name, 1) * direction)
        for (name, part), direction in zip(parts, np.split(directions, ends, axis=1), strict=True)
    ]
    return [list(chain(*of_image)) for of_image in zip(*split, strict=True)]
