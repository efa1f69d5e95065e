"""Wait for native code without giving up control: a limit of time, and Ctrl-C.

Native code that runs in the thread of the caller hears of neither before it returns.
"""

import math
import threading
import time
from typing import Any

_STEP_SECONDS = 0.2


def watched(run, terminate, seconds=None):
    """Run native code in a thread of its own, and wait for it.

    Parameters
    ----------
    run : callable
        What to run.
    terminate : callable
        What makes it end early, soon.
    seconds : float, optional
        How long it may take; None forever.

    Returns
    -------
    object
        What `run` returned.

    Raises
    ------
    TimeoutError
        If it took longer.
    """
    outcome: dict[str, Any] = {}

    def work():
        try:
            outcome["result"] = run()
        except BaseException as error:
            outcome["error"] = error

    thread = threading.Thread(target=work, name="watched run", daemon=True)
    end = math.inf if seconds is None else time.monotonic() + seconds
    try:
        thread.start()
        while thread.is_alive():
            # In short steps: on Windows no signal interrupts a wait.
            thread.join(min(_STEP_SECONDS, max(end - time.monotonic(), 0)))
            if time.monotonic() >= end and thread.is_alive():
                raise TimeoutError(seconds)
    finally:
        if thread.is_alive():
            terminate()
            thread.join()
    if "error" in outcome:
        raise outcome["error"]
    return outcome["result"]
