"""Measure a paper: turn by turn, on the person's data or on images that are drawn."""

import os
from numbers import Integral
from pathlib import Path

from skdeepenc._progress import progress_bar
from skdeepenc._sklearn import Interval, StrOptions, validate_params
from skdeepenc._typing import Floats, Integers, PathLike
from skdeepenc.backbones.survey import survey
from skdeepenc.exceptions import ModelError
from skdeepenc.reproduction import (
    cluster_mac,
    cross_layer,
    layer_fusion,
    mop_cnn,
    multiscale_fisher,
)
from skdeepenc.reproduction.labelled import draw_labelled, open_labelled
from skdeepenc.reproduction.searched import draw_searched, open_searched
from skdeepenc.reproduction.tables import Reproduction
from skdeepenc.reproduction.turns import ClassificationTurn, Network, RetrievalTurn

__all__ = ["PAPERS", "reproduce"]

_MODULES = (mop_cnn, multiscale_fisher, cross_layer, layer_fusion, cluster_mac)
#: The papers, in the order in which they appeared.
PAPERS = {each.PAPER.name: each.PAPER for each in _MODULES}

_TURNS = {"classification": ClassificationTurn, "retrieval": RetrievalTurn}
_OPENERS = {"classification": open_labelled, "retrieval": open_searched}
# What is drawn, and how many of them, in full and quick.
_DRAWERS = {
    "classification": (draw_labelled, "drawn scenes", 300, 80),
    "retrieval": (draw_searched, "drawn photographs", 50, 16),
}
_NEEDS = {
    "layer": "a layer that its head reads",
    "map": "a map of convolutions",
    "earlier": "two maps of convolutions, one behind the other",
    "takes_larger": "to run on images larger than its own",
}


@validate_params(
    {
        "paper": [StrOptions(set(PAPERS))],
        "data": [str, os.PathLike, None],
        "model": [str, os.PathLike, bytes],
        "quick": ["boolean"],
        "n_seeds": [Interval(Integral, 1, None, closed="left")],
        "memory": [str, os.PathLike, None],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def reproduce(
    paper: str,
    data: PathLike | None = None,
    *,
    model: PathLike | bytes = "embedded",
    quick: bool = False,
    n_seeds: int = 3,
    memory: PathLike | None = None,
    verbose: int = 0,
) -> Reproduction:
    """Measure the rows of a paper's table, and what it claims of them.

    Parameters
    ----------
    paper : str
        One of `PAPERS`: "mop-cnn", "multiscale-fisher", "cross-layer", "layer-fusion" or
        "cluster-mac".
    data : path-like or None, default=None
        A standard data set as its authors ship it, or, for papers that classify, a folder with one
        subfolder for each class. None draws images, for each seed other ones.
    model : str, path-like or bytes, default="embedded"
        The network, as `ActivationExtractor` takes it.
    quick : bool, default=False
        Whether to take few images and small vocabularies: a look, not a measurement.
    n_seeds : int, default=3
        Turns, each with its own seed: of what is drawn, of the split of a folder that has none of
        its own, and of all that encoders draw.
    memory : path-like or None, default=None
        Folder that remembers the network's maps, so that an interrupted run goes on.
    verbose : int, default=0
        Whether to show progress bars.

    Returns
    -------
    Reproduction
        The tables.

    Raises
    ------
    DataSetError
        If the folder is not what the paper is measured on.
    ModelError
        If the model cannot be opened, or lacks what the paper needs.
    ValueError
        If a parameter is none of the above.

    Examples
    --------
    >>> from skdeepenc.reproduction import PAPERS, reproduce
    >>> for claim in PAPERS["multiscale-fisher"].claims[:2]:
    ...     print(claim.text)
    MPP is better than the whole image
    MPP is better than an average of crops
    >>> result = reproduce("multiscale-fisher", quick=True)  # doctest: +SKIP
    >>> print(result.to_markdown())  # doctest: +SKIP
    """
    chosen = PAPERS[paper]
    title, load = _open(chosen, data, quick)
    network = Network(model, _survey(chosen, model), memory, verbose)
    ids: list[Integers] = []
    values: dict[str, list[Floats]] = {row.name: [] for row in chosen.rows}
    with progress_bar(
        total=n_seeds * len(chosen.rows), verbose=verbose, description=paper, unit="row"
    ) as bar:
        for seed in range(n_seeds):
            turn = _TURNS[chosen.task](network, load(seed), seed, quick)
            ids.append(turn.ids)
            for name, found in chosen.measure(turn):
                values[name].append(found)
                bar.update()
    return Reproduction(chosen, _model_name(model), title, quick, ids, values)


def _open(paper, data, quick):
    """Return what the images are called, and what gives those of a seed."""
    if data is not None:
        return _OPENERS[paper.task](data, few=quick)
    draw, title, many, few = _DRAWERS[paper.task]
    return title, lambda seed: draw(few if quick else many, seed)


def _survey(paper, model):
    """Return the layers of a network that has what the paper needs."""
    found = survey(model)
    lacking = [need for need in paper.needs if not _has(found, need)]
    if lacking:
        raise ModelError(
            f"{paper.name} needs a network with {_NEEDS[lacking[0]]}, which {_model_name(model)} "
            f"({found.kind}, layer {found.layer!r}) lacks; `skdeepenc layers` lists what it has."
        )
    return found


def _has(found, need):
    if need == "earlier":
        return found.earlier not in (None, found.map)
    return bool(getattr(found, need))


def _model_name(model):
    return "a model of bytes" if isinstance(model, bytes) else Path(model).name
