"""What draws: matplotlib, which only the displays need."""

from skdeepenc._optional import require

__all__ = ["require_pyplot"]


def require_pyplot():
    """Return `matplotlib.pyplot`, or say how to install it."""
    return require("matplotlib.pyplot", extra="plot", purpose="Drawing displays")
