"""Is one row better than another? Both saw the same images, so each image gives a difference.

The interval is Student's for the mean of paired differences. Ten queries are few and a normal
interval of them too narrow; this one grows as it should.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

__all__ = ["Difference", "mean_of_cases", "paired_difference"]

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences, and an interval of it.

    Parameters
    ----------
    mean, low, high : float
        The mean, and the ends of its interval.
    """

    mean: float
    low: float
    high: float

    def verdict(self, margin=0.0):
        """Say whether the first of the pair is better, up to a margin.

        Parameters
        ----------
        margin : float, default=0.0
            How much it may lose all the same.

        Returns
        -------
        {"holds", "not shown", "reversed"}
            What the whole interval agrees on.
        """
        if self.low > -margin:
            return "holds"
        return "reversed" if self.high < -margin else "not shown"

    def __str__(self):
        return f"{self.mean:+.1f} ({self.low:+.1f} to {self.high:+.1f})"


def paired_difference(first, second):
    """Return the mean difference of paired values, and its 95 % interval.

    Parameters
    ----------
    first, second : array-like of shape (n_pairs,)
        The values of both, pair by pair.

    Returns
    -------
    Difference
        Of `first` less `second`; the interval of a single pair is infinite.
    """
    differences = np.subtract(first, second)
    n_pairs = len(differences)
    mean = float(differences.mean())
    if n_pairs < 2:
        return Difference(mean, -np.inf, np.inf)
    error = differences.std(ddof=1) / np.sqrt(n_pairs)
    reach = float(student.ppf((1 + CONFIDENCE) / 2, n_pairs - 1) * error)
    return Difference(mean, mean - reach, mean + reach)


def mean_of_cases(ids, values):
    """Average what several turns measured of the same test images or queries.

    Parameters
    ----------
    ids : sequence of ndarray
        Which cases each turn has.
    values : sequence of ndarray
        What it measured of them.

    Returns
    -------
    ndarray of shape (n_cases,)
        A value for each case, so that none counts twice.
    """
    cases, position = np.unique(np.concatenate(ids), return_inverse=True)
    sums = np.bincount(position, np.concatenate(values), len(cases))
    return sums / np.bincount(position, minlength=len(cases))
