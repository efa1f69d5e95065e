"""What was measured of a paper: its table beside ours, claim by claim, as Markdown and as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skdeepenc._typing import Floats, PathLike
from skdeepenc._version import __version__
from skdeepenc.reproduction.claims import Claim, Paper
from skdeepenc.reproduction.intervals import Difference, mean_of_cases, paired_difference

__all__ = ["Finding", "Reproduction"]

_MEASURES = {"classification": "accuracy", "retrieval": "mean average precision"}
_CASES = {"classification": "test images", "retrieval": "queries"}


@dataclass(frozen=True)
class Finding:
    """What was found of a claim.

    Parameters
    ----------
    claim : Claim
        The claim.
    difference : Difference
        Of its rows, here.
    verdict : {"holds", "not shown", "reversed"}
        What follows.
    instead : str or None
        Where it does not hold, the row that was best.
    ahead : Difference or None
        How far that is before the row that should be better.
    """

    claim: Claim
    difference: Difference
    verdict: str
    instead: str | None = None
    ahead: Difference | None = None


@dataclass(frozen=True)
class Reproduction:
    """A paper's table, measured.

    Parameters
    ----------
    paper : Paper
        The paper.
    model, data : str
        What it was measured with, and on.
    quick : bool
        Whether with the settings of a quick look.
    ids : sequence of ndarray
        Which test images, or queries, each turn has.
    values : mapping of str to sequence of ndarray
        What each turn measured of them, in percent, by the row's name.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.reproduction import PAPERS, Reproduction
    >>> paper = PAPERS["cluster-mac"]
    >>> values = {row.name: [np.array([50.0, 70.0])] for row in paper.rows}
    >>> result = Reproduction(paper, "embedded", "two queries", True, [np.arange(2)], values)
    >>> result.mean("R-MAC, crop X"), result.findings[1].verdict
    (60.0, 'not shown')
    """

    paper: Paper
    model: str
    data: str
    quick: bool
    ids: Sequence[Any]
    values: Mapping[str, Sequence[Floats]]

    def mean(self, row):
        """Return a row's number: the mean of the turns, in percent."""
        return float(np.mean([turn.mean() for turn in self.values[row]]))

    def spread(self, row):
        """Return the standard deviation of a row's number over the turns; 0 of a single one."""
        means = [turn.mean() for turn in self.values[row]]
        return float(np.std(means, ddof=1)) if len(means) > 1 else 0.0

    def difference(self, better, worse):
        """Compare two rows, test image by test image; what was seen in several turns counts once.

        Parameters
        ----------
        better, worse : str
            Names of the rows.

        Returns
        -------
        Difference
            In points.
        """
        pair = (mean_of_cases(self.ids, self.values[row]) for row in (better, worse))
        return paired_difference(*pair)

    @property
    def findings(self):
        """What was found of each claim."""
        return [self._find(claim) for claim in self.paper.claims]

    def _find(self, claim):
        difference = self.difference(claim.better, claim.worse)
        verdict = difference.verdict(claim.margin)
        if verdict == "holds":
            return Finding(claim, difference, verdict)
        best = max((row.name for row in self.paper.rows), key=self.mean)
        return Finding(claim, difference, verdict, best, self.difference(best, claim.better))

    def to_dict(self) -> dict[str, Any]:
        """Return everything that the table says, in types of JSON.

        Returns
        -------
        dict
            With `rows` and `claims`, and what they were measured with.
        """
        return {
            "paper": self.paper.name,
            "title": self.paper.title,
            "source": self.paper.source,
            "measure": _MEASURES[self.paper.task],
            "model": self.model,
            "data": self.data,
            "quick": self.quick,
            "seeds": len(self.ids),
            "cases": len(np.unique(np.concatenate(self.ids))),
            "settings": self.paper.settings,
            "version": __version__,
            "rows": [
                {
                    "name": row.name,
                    "reported": dict(row.reported),
                    "value": self.mean(row.name),
                    "spread": self.spread(row.name),
                }
                for row in self.paper.rows
            ],
            "claims": [self._claim_to_dict(finding) for finding in self.findings],
        }

    def _claim_to_dict(self, finding):
        claim, difference = finding.claim, finding.difference
        return {
            "claim": claim.text,
            "better": claim.better,
            "worse": claim.worse,
            "section": claim.section,
            "margin": claim.margin,
            "reported": self.paper.reported_differences(claim),
            "difference": difference.mean,
            "interval": [difference.low, difference.high],
            "verdict": finding.verdict,
            "instead": finding.instead,
        }

    def to_markdown(self) -> str:
        """Return the tables as text that is Markdown and lines up in a terminal, too.

        Returns
        -------
        str
            A heading, what was measured, the paper's rows, its claims, and what holds instead.
        """
        paper = self.paper
        cases = len(np.unique(np.concatenate(self.ids)))
        quick = ", with the settings of a quick look" if self.quick else ""
        return "\n\n".join(
            [
                f"## {paper.name}: {self.model} on {self.data}{quick}",
                f'{paper.source}, "{paper.title}". Here: {_MEASURES[paper.task]} in %, seeds: '
                f"{len(self.ids)}, {_CASES[paper.task]}: {cases}; ± is the standard deviation over "
                "seeds.",
                paper.settings,
                _table(self._row_table()),
                _table(self._claim_table()),
                *self._say_instead(),
            ]
        )

    def _row_table(self):
        paper = self.paper
        yield ("", *(f"paper, {name}" for name in paper.reported_on), "here")
        for row in paper.rows:
            reported = (row.reported.get(name) for name in paper.reported_on)
            yield (
                row.name,
                *("" if each is None else f"{each:g}" for each in reported),
                self._here(row.name),
            )

    def _here(self, row):
        spread = f" ± {self.spread(row):.1f}" if len(self.ids) > 1 else ""
        return f"{self.mean(row):.1f}{spread}"

    def _claim_table(self):
        yield ("claim", "section", "paper", "here (95 % interval)", "verdict")
        for finding in self.findings:
            reported = self.paper.reported_differences(finding.claim).items()
            differences = ", ".join(f"{each:+.1f} ({on})" for on, each in reported)
            claim = finding.claim
            yield (claim.text, claim.section, differences, str(finding.difference), finding.verdict)

    def _say_instead(self):
        """Say what is better where claims do not hold, once for all that it stands in for."""
        together: dict[Any, list[Finding]] = {}
        for finding in self.findings:
            if finding.instead:
                together.setdefault((finding.verdict, finding.claim.better), []).append(finding)
        for (verdict, better), findings in together.items():
            claims = "; ".join(finding.claim.text for finding in findings)
            best = findings[0].instead
            ahead = "" if best == better else f", {findings[0].ahead} against {better}"
            yield f"{verdict.capitalize()}: {claims}. Best here: {best}{ahead}."

    def save(self, folder: PathLike) -> list[Path]:
        """Write the tables into a folder, as Markdown and as JSON.

        Parameters
        ----------
        folder : path-like
            It is made where it does not exist.

        Returns
        -------
        list of Path
            Both files, called after the paper.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / f"{self.paper.name}{ending}" for ending in (".md", ".json")]
        files[0].write_text(self.to_markdown() + "\n", encoding="utf-8")
        files[1].write_text(json.dumps(self.to_dict(), indent=1) + "\n", encoding="utf-8")
        return files


def _table(rows):
    """Return rows, headings first, as a table in Markdown whose columns line up."""
    headings, *others = rows
    rules = tuple("---" for _ in headings)
    widths = [max(map(len, column)) for column in zip(headings, rules, *others, strict=True)]
    return "\n".join(
        "| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in (headings, rules, *others)
    )
