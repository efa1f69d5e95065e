"""A renamed parameter works on under its old name, and says so."""

import pytest
from sklearn.base import BaseEstimator, clone

from skdeepenc._deprecation import NOT_GIVEN, renamed


class Counter(BaseEstimator):
    """An estimator whose parameter `k` is called `n_clusters` now."""

    def __init__(self, n_clusters=100, k=NOT_GIVEN):
        self.n_clusters = n_clusters
        self.k = k

    def fit(self, X=None, y=None):
        self.n_clusters_ = renamed(
            "k", self.k, "n_clusters", self.n_clusters, since="0.2", until="0.4"
        )
        return self


def test_the_new_name_is_silent():
    assert Counter(n_clusters=7).fit().n_clusters_ == 7


def test_the_old_name_works_and_says_what_to_write():
    with pytest.warns(FutureWarning, match=r"'k' was renamed 'n_clusters' .* write n_clusters=7"):
        assert Counter(k=7).fit().n_clusters_ == 7


def test_a_clone_keeps_what_was_given_by_the_old_name():
    with pytest.warns(FutureWarning, match="renamed"):
        assert clone(Counter(k=None)).fit().n_clusters_ is None


def test_the_warning_points_at_the_caller():
    with pytest.warns(FutureWarning) as caught:
        Counter(k=7).fit()
    assert caught[0].filename == __file__
