"""The clocks that the benchmarks time by, as the option ``--clock`` names them.

Processor time counts all threads of this process and nothing else: it is the fairer measure where
other programs run, with one thread for all (``OMP_NUM_THREADS=1``).
"""

import time

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}

# The idle threads of BLAS and OpenMP libraries wait in a busy loop for a while. Who comes next in
# turn would pay for it: with two cores, up to twice as long for works of some milliseconds.
SECONDS_TO_CALM_DOWN = 0.05


def timed(clock, function, *arguments):
    """Return the seconds that a call took, after a pause, and what it returned."""
    time.sleep(SECONDS_TO_CALM_DOWN)
    start = clock()
    result = function(*arguments)
    return clock() - start, result


def alternately(clock, functions, n_rounds):
    """Return, by name, the seconds that each function took in each round, called in turns."""
    seconds = {name: [] for name in functions}
    for _ in range(n_rounds):
        for name, function in functions.items():
            seconds[name].append(timed(clock, function)[0])
    return seconds
