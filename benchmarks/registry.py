"""What a benchmark is: a function that yields cases, and the bars that it should clear."""

import importlib.util
import inspect
import os
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import speed

#: The contender of every case that the others are compared with.
OURS = "skdeepenc"


class UnavailableError(Exception):
    """A benchmark cannot run here; the message says what it lacks."""


@dataclass(frozen=True)
class Case:
    """Work that several contenders do, ours among them.

    Parameters
    ----------
    name : str
        What is done, and how much of it.
    works : mapping of str to callable
        What each contender does, without arguments; ours is called `OURS`.
    units : mapping of str to float
        How many images (or queries, or steps) a call of a contender treats; 1 where missing.
    facts : mapping of str to float
        What was found out while the case was prepared.
    conclude : callable
        Given the last results by contender, returns further facts; it raises AssertionError where
        contenders disagree.
    bars : mapping of str to float
        Replaces the benchmark's bars, where this case has its own.
    memory : bool, default=False
        Whether to measure the most memory that arrays take in one call of ours.
    """

    name: str
    works: Mapping[str, Callable[[], object]]
    units: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, float] = field(default_factory=dict)
    conclude: Callable[[Mapping[str, object]], Mapping[str, float]] | None = None
    bars: Mapping[str, float] | None = None
    memory: bool = False


@dataclass(frozen=True)
class Benchmark:
    """A named function that yields cases.

    Parameters
    ----------
    name : str
        The function's name.
    cases : callable
        Yields the cases; its keyword arguments are the options.
    ours : str
        What of ours is measured.
    bars : mapping of str to float
        How many times our time each peer should at least take.
    limits : mapping of str to float
        What facts should at most be.
    rounds : int
        How often every contender takes its turn.
    """

    name: str
    cases: Callable[..., Iterator[Case]]
    ours: str
    bars: Mapping[str, float]
    limits: Mapping[str, float]
    rounds: int

    @property
    def summary(self):
        """The first line of the docstring."""
        return inspect.getdoc(self.cases).partition("\n")[0]

    @property
    def options(self):
        """The options and their defaults."""
        parameters = inspect.signature(self.cases).parameters.values()
        return {parameter.name: parameter.default for parameter in parameters}


BENCHMARKS: dict[str, Benchmark] = {}


def require(module, name):
    """Raise an UnavailableError where a peer's module is not installed."""
    if importlib.util.find_spec(module) is None:
        raise UnavailableError(f"{name} is not installed")


def data_folder():
    """Return the folder of real weights and images, or raise an UnavailableError."""
    folder = os.environ.get("SKDEEPENC_DATA")
    if folder is None:
        raise UnavailableError("SKDEEPENC_DATA does not name the data; see CONTRIBUTING.md")
    return Path(folder)


def benchmark(*, ours, bars=None, limits=None, rounds=5):
    """Register a function that yields cases.

    Parameters
    ----------
    ours : str
        What of ours is measured.
    bars : mapping of str to float, default=None
        How many times our time each peer should at least take.
    limits : mapping of str to float, default=None
        What facts should at most be.
    rounds : int, default=5
        How often every contender takes its turn.

    Returns
    -------
    callable
        The decorator; it returns the function as it is.
    """

    def register(cases):
        BENCHMARKS[cases.__name__] = Benchmark(
            cases.__name__, cases, ours, bars or {}, limits or {}, rounds
        )
        return cases

    return register


def discover():
    """Import every topic of `speed`, and return all benchmarks by name."""
    for module in pkgutil.iter_modules(speed.__path__):
        importlib.import_module(f"{speed.__name__}.{module.name}")
    return dict(sorted(BENCHMARKS.items()))
