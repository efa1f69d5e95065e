"""What holds for every test."""

import os
import re

import pytest
from hypothesis import settings

# The arrays of tests are small: threads of the linear algebra library would cost more than they
# gain, many times so where processes share the cores. Read when numpy is first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# What hypothesis draws for every run of the tests, and with --hypothesis-profile=long by hand.
settings.register_profile("short", max_examples=50, deadline=None)
settings.register_profile("long", max_examples=2000, deadline=None)
settings.load_profile("short")


@pytest.fixture(autouse=True)
def _forget_what_was_said(monkeypatch):
    """Let every test see warnings that a process gives once."""
    monkeypatch.setattr("skdeepenc.backbones.describing.assumptions._SAID", set())


def pytest_make_parametrize_id(val):
    """Name an estimator as it is written, without addresses: all workers must name it alike."""
    if hasattr(val, "get_params") and not isinstance(val, type):
        return re.sub(r" at 0x[0-9a-f]+", "", repr(val))
    return None
