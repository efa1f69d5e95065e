"""A paper as data: the rows of its table, its own numbers, and what it claims of them.

A claim says that one row is better than another. The paper's own difference is not written down
again: it follows from what the paper reports of both rows.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from skdeepenc._typing import Floats

__all__ = ["Claim", "Paper", "Row"]


@dataclass(frozen=True)
class Row:
    """One row of a paper's table.

    Parameters
    ----------
    name : str
        What was measured.
    reported : mapping of str to float
        The paper's own numbers, in percent, by what they were measured on.
    """

    name: str
    reported: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """What a paper says of two rows.

    Parameters
    ----------
    text : str
        The claim, as a sentence without its full stop.
    better, worse : str
        Names of the rows: `better` has the larger numbers, or, with a margin, hardly smaller ones.
    section : str
        Where the paper says so.
    margin : float, default=0.0
        How many points `better` may lose and the claim still hold, for claims that something does
        no harm.
    """

    text: str
    better: str
    worse: str
    section: str
    margin: float = 0.0


@dataclass(frozen=True)
class Paper:
    """What is needed to make a paper's table again.

    Parameters
    ----------
    name : str
        What the command line calls it.
    title, source : str
        What the paper is called; its authors, and where and when it appeared.
    task : {"classification", "retrieval"}
        What is measured: accuracy, or mean average precision.
    needs : tuple of str
        What the network must have: attributes of a `Survey` that may not be None.
    rows : tuple of Row
        The table, from the baselines to the method.
    claims : tuple of Claim
        What it shows.
    settings : str
        With which settings, and where they are not the paper's.
    measure : callable
        Given one turn, yields the name of each row and the values of all test images, or queries,
        in percent.
    """

    name: str
    title: str
    source: str
    task: str
    needs: tuple[str, ...]
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...]
    settings: str
    measure: Callable[[Any], Iterator[tuple[str, Floats]]]

    @property
    def reported_on(self):
        """What the paper's numbers were measured on."""
        return list(dict.fromkeys(name for row in self.rows for name in row.reported))

    def reported_differences(self, claim):
        """Return what the paper's own numbers say of a claim, by what they were measured on."""
        reported = {row.name: row.reported for row in self.rows}
        better, worse = reported[claim.better], reported[claim.worse]
        return {on: better[on] - worse[on] for on in better if on in worse}
