"""The one progress bar of the package, silent unless asked for."""

from tqdm import tqdm


def progress_bar(iterable=None, *, verbose, total=None, description="", unit="it"):
    """Wrap `iterable` in a progress bar on standard error; `verbose=0` shows none."""
    return tqdm(
        iterable, total=total, desc=description, unit=unit, disable=not verbose, leave=verbose > 1
    )
