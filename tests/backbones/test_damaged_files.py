"""Damaged files: an answer, or our own exception; never a crash, a hang or a stranger's exception.

A crash would end the whole test run, which makes it known too.
"""

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skdeepenc.backbones import Backbone, ModelSpec
from skdeepenc.exceptions import ModelError, ModelWarning

damaged = settings(
    max_examples=60,
    deadline=10_000,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def content(tiny_network):
    return tiny_network.SerializeToString()


def answer_or_model_error(content, spec):
    """Read, list, cut and run a file; let only our own exception through."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelWarning)
        try:
            backbone = Backbone(content, spec=spec, n_threads=1)
            outputs = backbone.run(np.zeros((2, 3, 20, 24), dtype=np.float32))
        except ModelError:
            return
    assert all(len(maps) == 2 and maps.ndim == 4 for maps in outputs.values())


@damaged
@given(keep=st.floats(0, 1, exclude_max=True))
def test_truncated(keep, content):
    answer_or_model_error(content[: int(keep * len(content))], None)


@damaged
@given(data=st.data(), described=st.booleans())
def test_flipped_bits(data, described, content):
    """Most of the file is weights, where a flip does little: half of the flips hit the graph."""
    damaged_content = bytearray(content)
    graph_ends = content.index(b"tiny")
    end = data.draw(st.sampled_from([graph_ends, len(content)]))
    for place in data.draw(st.lists(st.integers(0, end - 1), min_size=1, max_size=4)):
        damaged_content[place] ^= 1 << data.draw(st.integers(0, 7))
    spec = ModelSpec("damaged", (), 16) if described else None
    answer_or_model_error(bytes(damaged_content), spec)


@damaged
@given(content=st.binary(max_size=200))
def test_noise(content):
    answer_or_model_error(content, None)
