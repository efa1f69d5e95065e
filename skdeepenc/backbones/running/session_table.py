"""The sessions of a process: few, shared, and left alone by a child that was forked.

A session must not be destroyed by a process that was forked from the one that made it.
"""

import ctypes
import threading
from collections import OrderedDict


class SessionTable:
    """The sessions of this process, least recently used first."""

    def __init__(self):
        self.clear()

    def clear(self):
        """Know of no sessions."""
        self.sessions = OrderedDict()
        self.lock = threading.RLock()
        self.warned = set()

    def forget_after_fork(self):
        """Start afresh in a child, and keep the parent's sessions from ever being destroyed."""
        for session in self.sessions.values():
            # Their threads do not exist here: a destructor would wait for them forever.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))
        self.clear()
