"""Tables say what was measured: rows, claims, and what is better where a claim does not hold."""

import json

import numpy as np
import pytest

from skdeepenc.reproduction import Reproduction
from skdeepenc.reproduction.claims import Claim, Paper, Row

PAPER = Paper(
    name="toy",
    title="Toys",
    source="A. Author, 2015",
    task="classification",
    needs=(),
    rows=(Row("plain", {"Toys": 50.0}), Row("clever", {"Toys": 62.5}), Row("other")),
    claims=(
        Claim("clever is better than plain", "clever", "plain", "4.1"),
        Claim("clever is better than other", "clever", "other", "4.2"),
        Claim("clever loses less than 90 points to other", "clever", "other", "4.2", margin=90),
    ),
    settings="Ours: none.",
    measure=None,
)
IDS = [np.arange(4), np.arange(2, 6)]
VALUES = {
    "plain": [np.zeros(4), np.zeros(4)],
    "clever": [np.array([100, 100, 100, 0.0]), np.array([100, 0, 100, 100.0])],
    "other": [np.array([100, 100, 100, 0.0]), np.array([100, 100, 100, 100.0])],
}


@pytest.fixture
def result():
    return Reproduction(PAPER, "model.onnx", "toys", False, IDS, VALUES)


def test_a_row_is_the_mean_of_turns_and_their_deviation(result):
    assert result.mean("other") == (75 + 100) / 2
    assert result.spread("other") == pytest.approx(25 / 2**0.5)


def test_what_was_seen_twice_counts_once(result):
    """Cases 2 and 3 are in both turns: clever is right in both of 2, and in neither of 3."""
    assert result.difference("clever", "plain").mean == pytest.approx(500 / 6)


def test_verdicts_and_what_is_better_instead(result):
    findings = result.findings
    assert [finding.verdict for finding in findings] == ["holds", "not shown", "holds"]
    assert findings[0].instead is None
    assert findings[1].instead == "other"
    assert findings[1].ahead.mean == pytest.approx(50 / 6)


def test_markdown_lines_up(result):
    text = result.to_markdown()
    assert 'A. Author, 2015, "Toys". Here: accuracy in %, seeds: 2, test images: 6' in text
    assert text.startswith("## toy: model.onnx on toys\n")
    assert "| plain  | 50          | 0.0 ± 0.0   |" in text
    assert "| clever is better than plain               | 4.1     | +12.5 (Toys) | +83.3 (" in text
    assert "Not shown: clever is better than other. Best here: other, +8.3 (" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(line) for line in tables}) == 2  # one width for each table


def test_files_hold_what_is_printed(result, tmp_path):
    markdown, data = result.save(tmp_path / "new" / "folder")
    assert markdown.read_text(encoding="utf-8") == result.to_markdown() + "\n"
    read = json.loads(data.read_text(encoding="utf-8"))
    assert read == result.to_dict()
    assert read["claims"][0]["reported"] == {"Toys": 12.5}
    assert [row["name"] for row in read["rows"]] == ["plain", "clever", "other"]


def test_one_turn_has_no_deviation():
    alone = {row: values[:1] for row, values in VALUES.items()}
    text = Reproduction(PAPER, "m", "toys", True, IDS[:1], alone).to_markdown()
    assert "| clever | 62.5        | 75.0 |" in text
    assert "with the settings of a quick look" in text
