"""Run a benchmark: one clock, fair turns, memory, and a record of all of it."""

import tracemalloc

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.registry import OURS
from benchmarks.turns import CLOCKS, alternately


def run(benchmark, options, *, clock="wall", rounds=None, threads=None):
    """Yield the record of each case of a benchmark as soon as it is measured.

    Parameters
    ----------
    benchmark : Benchmark
        What to run.
    options : dict
        Values for some of its options.
    clock : {"wall", "cpu"}, default="wall"
        What to time by.
    rounds : int, default=None
        How often every contender takes its turn; None takes the benchmark's own number.
    threads : int, default=None
        Threads of the matrix products; None leaves them alone.

    Yields
    ------
    dict
        Seconds per unit of every round by contender, ratios to ours, facts and bars.
    """
    with threadpool_limits(threads):
        for case in benchmark.cases(**options):
            yield measure(benchmark, case, CLOCKS[clock], rounds or benchmark.rounds)


def measure(benchmark, case, clock, rounds):
    """Return the record of one case."""
    # The first round warms caches up, opens sessions and loads kernels.
    seconds, results = alternately(clock, case.works, rounds + 1)
    per_unit = {
        name: (np.array(taken[1:]) / case.units.get(name, 1)).tolist()
        for name, taken in seconds.items()
    }
    facts = dict(case.facts)
    if case.conclude is not None:
        facts.update(case.conclude(results))
    if case.memory:
        facts["peak MB"] = peak_megabytes(case.works[OURS])
    return {
        "benchmark": benchmark.name,
        "case": case.name,
        "seconds": per_unit,
        "ratios": ratios(per_unit),
        "facts": {name: float(value) for name, value in facts.items()},
        "bars": dict(benchmark.bars if case.bars is None else case.bars),
        "limits": dict(benchmark.limits),
    }


def ratios(seconds):
    """Return how many times our time every peer took: the median over rounds of paired ratios."""
    ours = seconds.get(OURS)
    return {
        name: float(np.median(np.divide(taken, ours)))
        for name, taken in seconds.items()
        if ours is not None and name != OURS
    }


def peak_megabytes(work):
    """Return the most memory, in MB, that arrays took during a call."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def missed(record):
    """Yield a sentence for each bar that a record does not clear."""
    for peer, bar in record["bars"].items():
        ratio = record["ratios"].get(peer)
        if ratio is not None and ratio < bar:
            yield f"{peer} takes {ratio:.2f} times our time, {bar:g} wanted"
    for fact, limit in record["limits"].items():
        value = record["facts"].get(fact)
        if value is not None and value > limit:
            yield f"{fact} is {value:.4g}, at most {limit:g} wanted"
