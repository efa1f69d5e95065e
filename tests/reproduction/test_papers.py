"""Papers are measured row by row, as they say."""

from dataclasses import replace

import pytest

from skdeepenc.exceptions import ModelError
from skdeepenc.reproduction import PAPERS, reproduce
from skdeepenc.reproduction.labelled import draw_labelled
from skdeepenc.reproduction.searched import draw_searched
from skdeepenc.reproduction.turns import ClassificationTurn, RetrievalTurn

# What section 4.4 says of tables 3, 4 and 6.
FISHER = {"MIT Indoor 67": 4.18, "VOC 2007 mAP": 4.58, "Flowers 102": 2.84}


def turn_of(paper, network):
    if paper.task == "classification":
        return ClassificationTurn(network, draw_labelled(20, seed=0), seed=0, quick=True)
    return RetrievalTurn(network, draw_searched(3, seed=0), seed=0, quick=True)


@pytest.mark.parametrize("name", PAPERS)
def test_every_row_is_measured_once_for_every_case(name, network):
    paper = PAPERS[name]
    turn = turn_of(paper, network)
    measured = list(paper.measure(turn))
    assert sorted(row for row, _ in measured) == sorted(row.name for row in paper.rows)
    for _, values in measured:
        assert values.shape == turn.ids.shape
        assert ((values >= 0) & (values <= 100)).all()


@pytest.mark.parametrize("name", PAPERS)
def test_claims_are_of_rows(name):
    rows = {row.name for row in PAPERS[name].rows}
    assert {claim.better for claim in PAPERS[name].claims} <= rows
    assert {claim.worse for claim in PAPERS[name].claims} <= rows


@pytest.mark.parametrize(
    ("name", "claim", "reported"),
    [
        ("mop-cnn", 0, {"SUN397": 12.41}),
        ("multiscale-fisher", 2, FISHER),
        ("cross-layer", 2, {"MIT-67": 3.5, "Birds-200": 12.9}),
        ("layer-fusion", 2, {"Oxford5k": 2.0, "Holidays": 1.5}),
        ("cluster-mac", 1, {"Oxford5k": 3.5, "Paris6k": -0.4}),
    ],
)
def test_differences_of_the_papers_follow_from_their_numbers(name, claim, reported):
    paper = PAPERS[name]
    assert paper.reported_differences(paper.claims[claim]) == pytest.approx(reported)


def test_unknown_papers_are_refused():
    with pytest.raises(ValueError, match=r"'paper' parameter .* must be a str among"):
        reproduce("resnet")


def test_a_network_without_the_layers_is_refused(monkeypatch, network):
    alone = replace(network.layers, earlier="conv5")
    monkeypatch.setattr("skdeepenc.reproduction.runner.survey", lambda model: alone)
    message = "cross-layer needs a network with two maps of convolutions, one behind the other"
    with pytest.raises(ModelError, match=message):
        reproduce("cross-layer", model="embedded")
