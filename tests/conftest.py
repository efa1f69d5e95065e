"""What holds for every test."""

import pytest


@pytest.fixture(autouse=True)
def _forget_what_was_said(monkeypatch):
    """Let every test see warnings that a process gives once."""
    monkeypatch.setattr("skdeepenc.backbones.describing.assumptions._SAID", set())
