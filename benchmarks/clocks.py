"""The clocks that the benchmarks time by, as the option ``--clock`` names them.

Processor time counts all threads of this process and nothing else: it is the fairer measure where
other programs run, with one thread for all (``OMP_NUM_THREADS=1``).
"""

import time

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def timed(clock, function, *arguments):
    """Return the seconds that a call took, and what it returned."""
    start = clock()
    result = function(*arguments)
    return clock() - start, result
