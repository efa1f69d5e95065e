"""What holds for the examples in docstrings: those that need an extra skip without it."""

import doctest

import pytest

from skdeepenc.exceptions import MissingDependencyError


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Skip an example that ends where the package says what is not installed."""
    try:
        return (yield)
    except doctest.UnexpectedException as error:
        missing = error.exc_info[1]
        if not isinstance(missing, MissingDependencyError):
            raise
        pytest.skip(str(missing))
