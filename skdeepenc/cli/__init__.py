"""The command `skdeepenc`: words in, one call to the package, its answer out.

A command is a file with two functions: `add` says which words it takes, `run` makes the call. Rooms
of the package are imported by `run`, so that ``--help`` answers at once.
"""

from skdeepenc.cli.command_line import main

__all__ = ["main"]
