"""Import what only some users need, at the moment they need it."""

import importlib
from typing import Any

from skdeepenc.exceptions import MissingDependencyError


def require(module: str, *, extra: str, purpose: str) -> Any:
    """Import `module`, or say which extra of skdeepenc brings it.

    Parameters
    ----------
    module : str
        Dotted name to import, such as ``"matplotlib.pyplot"``.
    extra : str
        The extra of skdeepenc that installs it.
    purpose : str
        What needs it, as the subject of a sentence: ``"Drawing displays"``.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    MissingDependencyError
        If the package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingDependencyError(
            f"{purpose} needs {package}, which is not installed: "
            f'run `pip install ".[{extra}]"` in the folder that skdeepenc was installed from.'
        ) from error
