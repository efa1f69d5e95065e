"""Run all checks on an estimator: at once, or one test per check."""

import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from sklearn.base import BaseEstimator, clone

from skdeepenc.testing import _checks

__all__ = ["check_maps_encoder", "maps_encoder_checks", "parametrize_with_maps_checks"]


def maps_encoder_checks(
    estimator: BaseEstimator, *, orderless: bool = True
) -> Iterator[tuple[BaseEstimator, partial[None]]]:
    """Yield the checks that an encoder of feature maps should pass.

    Parameters
    ----------
    estimator : estimator
        An unfitted encoder; every check works on a clone of it.
    orderless : bool, default=True
        Whether the order of a map's positions should change nothing.

    Yields
    ------
    estimator : estimator
        A clone of the encoder.
    check : callable
        Takes the estimator and raises AssertionError where the claim in its docstring fails.

    Examples
    --------
    >>> from skdeepenc.encoders import MOPVLADEncoder
    >>> from skdeepenc.testing import maps_encoder_checks
    >>> estimator, check = next(maps_encoder_checks(MOPVLADEncoder(n_clusters=3)))
    >>> check(estimator)
    """
    for name, check in vars(_checks).items():
        if not name.startswith("check_"):
            continue
        if orderless or check is not _checks.check_descriptor_order:
            yield clone(estimator), partial(_run, check)


def check_maps_encoder(estimator: BaseEstimator, *, orderless: bool = True) -> None:
    """Check that an encoder of feature maps does what encoders of this package do.

    It feeds what scikit-learn's ``check_estimator`` does not know: 3-D, 4-D and ragged maps,
    `FeatureMaps`, float16, images without descriptors, constant and zero maps, one image, fewer
    descriptors than words. Run both.

    Parameters
    ----------
    estimator : estimator
        An unfitted encoder.
    orderless : bool, default=True
        Whether the order of a map's positions should change nothing.

    Raises
    ------
    AssertionError
        If a check fails; the message says what is wrong.

    Examples
    --------
    >>> from skdeepenc.encoders import MOPVLADEncoder
    >>> from skdeepenc.testing import check_maps_encoder
    >>> check_maps_encoder(MOPVLADEncoder(n_components=3, n_clusters=2))
    """
    for clone_of_estimator, check in maps_encoder_checks(estimator, orderless=orderless):
        check(clone_of_estimator)


def parametrize_with_maps_checks(
    estimators: Sequence[BaseEstimator], *, orderless: bool = True
) -> Any:
    """Make a pytest decorator that runs every check on every estimator as a test of its own.

    Parameters
    ----------
    estimators : list of estimators
        Unfitted encoders.
    orderless : bool, default=True
        Whether the order of a map's positions should change nothing.

    Returns
    -------
    decorator
        For a test function with the arguments `estimator` and `check`.

    Examples
    --------
    >>> from skdeepenc.encoders import MOPVLADEncoder
    >>> from skdeepenc.testing import parametrize_with_maps_checks
    >>> @parametrize_with_maps_checks([MOPVLADEncoder(n_clusters=3)])
    ... def test_encoder(estimator, check):
    ...     check(estimator)
    """
    import pytest

    pairs = [
        pair
        for estimator in estimators
        for pair in maps_encoder_checks(estimator, orderless=orderless)
    ]
    names = [
        f"{estimator}-{check.args[0].__name__}".replace("\n", "") for estimator, check in pairs
    ]
    return pytest.mark.parametrize(("estimator", "check"), pairs, ids=names)


def _run(check, estimator):
    """Run a check; a warning fails it, as an image of zeros is no reason for one."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        check(estimator)
