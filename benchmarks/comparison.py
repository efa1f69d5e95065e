"""Compare two states of the project: two files of results, or two checkouts in turns."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.registry import OURS
from benchmarks.results import load


def compare(before, after, names=(), *, rounds=5):
    """Yield (benchmark, case, ratio): our time after, by our time before.

    Parameters
    ----------
    before, after : path-like
        Two files of results, whose median times are compared; or two checkouts of the project,
        whose benchmarks run in turns, so that what else the machine does falls on both.
    names : sequence of str, default=()
        Which benchmarks to run, of checkouts.
    rounds : int, default=5
        Turns of checkouts.

    Yields
    ------
    benchmark, case : str
        What was timed.
    ratio : float
        Above 1 where the later state is slower.
    """
    if Path(before).is_dir():
        pairs = _in_turns(before, after, names, rounds)
    else:
        pairs = [(load(before), load(after))]
    ratios: dict = {}
    for old, new in pairs:
        for key in old.keys() & new.keys():
            seconds = [record["seconds"].get(OURS) for record in (old[key], new[key])]
            if all(seconds):
                ratios.setdefault(key, []).append(np.median(seconds[1]) / np.median(seconds[0]))
    for (benchmark, case), found in sorted(ratios.items()):
        yield benchmark, case, float(np.median(found))


def _in_turns(before, after, names, rounds):
    """Yield the records of both checkouts, one short run of each after the other."""
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(rounds):
            files = [Path(folder) / f"{turn}-{state}.json" for state in ("before", "after")]
            for checkout, file in zip((before, after), files, strict=True):
                _run_there(checkout, names, file)
            yield tuple(map(load, files))


def _run_there(checkout, names, file):
    """Run our side of benchmarks in a process of its own, with the code of a checkout."""
    words = ["run", *names, "--rounds", "2", "--ours-alone", "--out", str(file)]
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks", *words],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(Path(checkout).resolve())},
        capture_output=True,
        text=True,
        check=False,
    )
    if not file.exists():
        raise RuntimeError(f"The benchmarks of {checkout} failed:\n{finished.stderr[-2000:]}")
