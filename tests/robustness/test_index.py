"""An index under kills, and read while it is written."""

import os

import pytest

pytest.importorskip("pyarrow")
from robustness import index_runs
from robustness.watched import watched

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def test_killed_updates_lose_nothing(tmp_path, factor):
    n_kills = max(2, 50 * factor // 40)
    n_killed, n_halfway, wrong = watched(
        index_runs.killed_updates, str(tmp_path), n_kills, seconds=60 + 5 * n_kills
    )
    print(f"{n_killed} of {n_kills} killed, {n_halfway} after a commit")
    assert not wrong


def test_readers_see_whole_states_while_a_writer_changes_them(tmp_path, factor):
    codes = watched(
        index_runs.readers_and_a_writer, str(tmp_path), 2, 10 * factor, seconds=60 + 10 * factor
    )
    assert codes == [0, 0, 0]
