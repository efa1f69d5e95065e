"""How many threads this process should use."""

import os

import joblib


def available_threads():
    """Return how many threads this process should use.

    Workers of joblib are told by OMP_NUM_THREADS, which onnxruntime does not read.
    """
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdecimal() and int(told) > 0 else joblib.cpu_count()
