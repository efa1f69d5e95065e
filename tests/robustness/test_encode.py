"""Workers that are killed while they encode leave whole shards or none."""

import pytest

from robustness.watched import watched

pytest.importorskip("pyarrow")
pytest.importorskip("fsspec")

from robustness import encoding_runs

N_KILLS, N_KILLS_OF_LONG_FORM = 3, 50


def test_killed_workers_lose_nothing(tmp_path, factor):
    n_kills = N_KILLS if factor == 1 else N_KILLS_OF_LONG_FORM
    n_killed, code = watched(
        encoding_runs.killed_workers, str(tmp_path / "out"), n_kills, seconds=60 + 10 * n_kills
    )
    assert code == 0
    if factor > 1:
        assert n_killed > n_kills // 3
