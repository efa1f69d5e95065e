"""What machines and strangers do to a run, with a short and a long form.

Everything here has the marker `robustness`. The number of cases is multiplied by the environment
variable `SKDEEPENC_ROBUSTNESS`: 1 for every run of the tests, 40 for the long form by hand.
"""

import os
from multiprocessing import forkserver
from pathlib import Path

import pytest

import robustness.watched  # noqa: F401 (says what the server imports)

# The server's imports take seconds, in which the tests are collected.
forkserver.ensure_running()

FACTOR = int(os.environ.get("SKDEEPENC_ROBUSTNESS", "1"))


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.robustness)


@pytest.fixture(scope="session")
def factor():
    """How many times as many cases as in the short form."""
    return FACTOR
