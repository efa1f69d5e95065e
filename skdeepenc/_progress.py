"""The one progress bar of the package, silent unless asked for.

The time that is left follows from the pace since the work began. Results come in bursts, a block of
images at a time, so the pace is taken when a burst is over; in between the clock moves, so that
nobody takes a slow network for a dead one. What a cache held counts as done and not as work; what
happens once, such as the opening of a session, does not count as work either.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic
from typing import Any
from weakref import ref

from tqdm import tqdm

__all__ = ["Pace", "ProgressBar", "progress_bar"]

_BEAT_SECONDS = 0.5


def progress_bar(
    iterable: Iterable[Any] | None = None,
    *,
    verbose: int,
    total: int | None = None,
    description: str = "",
    unit: str = "it",
) -> "ProgressBar":
    """Wrap `iterable` in a progress bar on standard error; `verbose=0` shows none."""
    return ProgressBar(
        iterable, total=total, desc=description, unit=unit, disable=not verbose, leave=verbose > 1
    )


class Pace:
    """How many items are done in a second.

    Parameters
    ----------
    clock : callable
        Returns seconds.

    Attributes
    ----------
    per_second : float or None
        The pace when items were last done; None before.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._began = self._idle_since = clock()
        self._prepared_in = 0.0
        self._restart()

    def _restart(self) -> None:
        self._n_done = 0
        self._lead: float | None = None
        self.per_second: float | None = None

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Begin again after something that happens once, with the first items prepared."""
        self._prepared_in = self._clock() - self._idle_since
        yield
        self._began = self._clock()
        self._restart()

    def found(self) -> None:
        """Take note that items were there without work."""
        self._idle_since = self._clock()

    def done(self, n_items: int) -> None:
        """Take note that items were worked on."""
        seconds = self._clock() - self._began
        if self._lead is None:
            # From now on items are prepared during the work on others; whichever takes longer
            # sets the pace. The first ones waited for their preparation.
            self._lead = max(self._prepared_in - seconds, 0.0)
        self._n_done += n_items
        seconds += self._lead
        self.per_second = self._n_done / seconds if seconds > 0 else None


class ProgressBar(tqdm):
    """A bar that moves twice a second, and takes its rate from a `Pace`.

    Parameters
    ----------
    *args, **kwargs : object
        What tqdm takes.
    clock : callable
        Returns seconds; what the pace is measured by.
    """

    def __init__(self, *args: Any, clock: Callable[[], float] = monotonic, **kwargs: Any) -> None:
        self.pace = Pace(clock)
        self._closing = Event()
        super().__init__(*args, **kwargs)
        if not self.disable:
            Thread(target=_beat, args=(ref(self), self._closing), daemon=True).start()

    @property
    def format_dict(self) -> dict[str, Any]:
        """What the bar shows, the rate among it."""
        return {**super().format_dict, "rate": self.pace.per_second or 0}

    def found(self, n: int = 1) -> Any:
        """Move by items that took no work."""
        if not self.disable:
            self.pace.found()
            self.initial += n
        return super().update(n)

    def update(self, n: int = 1) -> Any:
        """Move by items that were worked on."""
        if n and not self.disable:
            self.pace.done(n)
        return super().update(n)

    def close(self) -> None:
        """Show the bar for the last time."""
        self._closing.set()
        super().close()


def _beat(bar: "ref[ProgressBar]", closing: Event) -> None:
    """Refresh a bar until it is closed, or forgotten."""
    while not closing.wait(_BEAT_SECONDS) and (shown := bar()) is not None:
        shown.refresh()
        del shown
