"""Clocks, and taking turns: the only way in which two times can be compared."""

import time

#: Processor time counts all threads of this process and nothing else: the fairer measure where
#: other programs run, with one thread for all (``OMP_NUM_THREADS=1``).
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}

# The idle threads of BLAS and OpenMP libraries wait in a busy loop for a while. Whoever comes next
# would pay for it: with two cores, up to twice as long for work of some milliseconds.
SECONDS_TO_CALM_DOWN = 0.05


class Took(float):
    """Seconds that a function measured itself, because only a part of it counts."""


def timed(clock, function, *arguments):
    """Return the seconds that a call took, after a pause, and what it returned."""
    time.sleep(SECONDS_TO_CALM_DOWN)
    start = clock()
    result = function(*arguments)
    seconds = clock() - start
    return (float(result) if isinstance(result, Took) else seconds), result


def alternately(clock, functions, n_rounds):
    """Return, by name, the seconds of each round and the last result, called in turns."""
    seconds = {name: [] for name in functions}
    results = {}
    for _ in range(n_rounds):
        for name, function in functions.items():
            taken, results[name] = timed(clock, function)
            seconds[name].append(taken)
    return seconds, results
