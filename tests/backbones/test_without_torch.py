"""What can be said of exports where PyTorch is not installed."""

import sys

import pytest
from numpy.testing import assert_array_equal

from skdeepenc.backbones import from_torch
from skdeepenc.backbones.pytorch.exporters import Freedom
from skdeepenc.backbones.running.session import run_apart
from skdeepenc.exceptions import MissingDependencyError


def test_without_pytorch_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingDependencyError, match=r"needs torch.*\[torch\]"):
        from_torch(None, 224)


def test_the_freest_export_comes_first():
    assert Freedom.all(batch=True, sides=True) == [
        *(Freedom(True, True), Freedom(True, False)),
        *(Freedom(False, True), Freedom(False, False)),
    ]
    assert Freedom.all(batch=False, sides=False) == [Freedom(False, False)]


def test_graphs_of_our_own_run_without_being_kept(tiny_network, pixels):
    content = tiny_network.SerializeToString()
    [first], [again] = (run_apart(content, pixels(1, 16, 16)) for _ in range(2))
    assert first.shape == (1, 6)
    assert_array_equal(first, again)


def test_open_axes_have_names():
    assert Freedom(True, True).axes == {0: "batch", 2: "height", 3: "width"}
    assert Freedom(False, False).axes == {}
