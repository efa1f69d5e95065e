"""A graph is judged by its least cosine, an approximate one by the median, both by classes."""

import pytest

from skdeepenc.exceptions import ExportError
from skdeepenc.export.comparison import ExportReport, check_within, is_within


def report(**figures):
    return ExportReport(b"", n_images=10, **{"min_cosine": 0.5, "median_cosine": 0.999, **figures})


@pytest.mark.parametrize(
    ("figures", "within"),
    [
        ({}, False),
        ({"approximate": True}, True),
        ({"approximate": True, "median_cosine": 0.98}, False),
        ({"min_cosine": 0.991}, True),
        ({"min_cosine": float("nan")}, False),
        ({"min_cosine": None, "median_cosine": None, "class_agreement": 0.9}, True),
        ({"min_cosine": 1.0, "class_agreement": 0.8}, False),
    ],
)
def test_one_rule_judges_when_a_file_is_written_and_when_it_is_verified(figures, within):
    assert is_within(report(**figures), 0.01) == within
    if not within:
        with pytest.raises(ExportError, match=r"tolerance=0\.01"):
            check_within(report(**figures), 0.01)
