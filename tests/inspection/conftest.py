"""Displays draw off screen, and leave no figure open."""

from importlib import util

import pytest


@pytest.fixture(autouse=True)
def closed_figures():
    """Keep figures to one test; what needs no drawing is tested without matplotlib too."""
    if util.find_spec("matplotlib") is None:
        yield
        return
    from matplotlib import pyplot

    pyplot.switch_backend("agg")
    yield
    pyplot.close("all")
