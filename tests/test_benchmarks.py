"""The tool that measures: bars, turns, records and comparisons of a benchmark without work."""

import json

import pytest

from benchmarks import comparison, results
from benchmarks.__main__ import main
from benchmarks.registry import BENCHMARKS, OURS, Case, UnavailableError, benchmark, discover
from benchmarks.runner import missed, run
from benchmarks.turns import Took


@pytest.fixture
def toy(monkeypatch):
    """Register a benchmark in which the peer takes twice our time."""
    monkeypatch.setattr("benchmarks.turns.SECONDS_TO_CALM_DOWN", 0)
    monkeypatch.setitem(BENCHMARKS, "toy", None)  # taken out again after the test

    @benchmark(ours="nothing", bars={"peer": 3}, limits={"error": 0.5}, rounds=2)
    def toy(seconds=1.0, error=0.1):
        """Wait for nothing."""
        works = {OURS: lambda: Took(seconds), "peer": lambda: Took(4 * seconds)}
        yield Case("a case", works, units={"peer": 2}, conclude=lambda found: {"error": error})

    return BENCHMARKS["toy"]


def test_ratios_are_of_times_per_unit(toy):
    (record,) = run(toy, {"seconds": 3.0})
    assert record["seconds"] == {OURS: [3.0, 3.0], "peer": [6.0, 6.0]}
    assert record["ratios"] == {"peer": 2.0}


def test_what_misses_its_bar_is_said(toy):
    (record,) = run(toy, {"error": 0.7})
    assert list(missed(record)) == [
        "peer takes 2.00 times our time, 3 wanted",
        "error is 0.7, at most 0.5 wanted",
    ]


def test_results_say_where_they_were_made(toy, tmp_path):
    path = results.save(list(run(toy, {})), tmp_path / "results.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["packages"]["numpy"]
    assert results.load(path)["toy", "a case"]["facts"] == {"error": 0.1}


def test_tables_say_what_was_run_and_what_it_took(toy, tmp_path, capsys):
    words = ["run", "toy", "--rounds", "3", "--set", "error=0.7"]
    assert main([*words, "--out", str(tmp_path / "results.json")]) == 0
    capsys.readouterr()
    assert main(["tables", str(tmp_path / "results.json")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"{results.environment()['cores']} cores" in lines[0]
    assert (
        lines[lines.index("```bash") + 1]
        == "python -m benchmarks run toy --rounds 3 --set error=0.7"
    )
    assert "| case | nothing | peer | error |" in lines
    assert "| a case | 1.00 s | 2.00 s, 2.00 times ours | 0.7 |" in lines
    assert "a case: error is 0.7, at most 0.5 wanted." in lines


@pytest.mark.parametrize(("seconds", "code"), [(1.0, 0), (1.2, 1)])
def test_a_comparison_fails_where_we_became_slower(toy, tmp_path, seconds, code, capsys):
    before = results.save(list(run(toy, {})), tmp_path / "before.json")
    after = results.save(list(run(toy, {"seconds": seconds})), tmp_path / "after.json")
    ((_, _, ratio),) = comparison.compare(before, after)
    assert ratio == pytest.approx(seconds)
    assert main(["compare", str(before), str(after)]) == code
    assert ("SLOWER" in capsys.readouterr().out) == bool(code)


def test_the_command_passes_options_on(toy, tmp_path):
    out = tmp_path / "results.json"
    main(["run", "toy", "--set", "seconds=2.5", "--ours-alone", "--rounds", "1", "--out", str(out)])
    assert results.load(out)["toy", "a case"]["seconds"] == {OURS: [2.5]}


def test_what_cannot_run_here_is_named(toy, tmp_path, capsys):
    @benchmark(ours="nothing")
    def toy():
        """Need what is not there."""
        raise UnavailableError("PyTorch is not installed")
        yield

    main(["run", "toy", "--out", str(tmp_path / "results.json")])
    assert "toy: left out, PyTorch is not installed" in capsys.readouterr().out


def test_every_benchmark_says_what_it_measures():
    for name, found in discover().items():
        assert found.summary.endswith("."), name
        assert found.ours, name
