"""Change public names over two releases, so that nobody's code breaks overnight.

A name that is going away works for two more releases, and warns. Classes and functions take
`sklearn.utils.deprecated`. A parameter that was renamed calls `renamed` in `fit`, as scikit-learn's
own estimators do: ``__init__`` may only store.
"""

import warnings
from typing import Any

__all__ = ["NOT_GIVEN", "renamed"]

#: The default of the old parameter of a pair, so that a value that was given can be told from none.
NOT_GIVEN = "deprecated"


def renamed(old: str, old_value: Any, new: str, new_value: Any, *, since: str, until: str) -> Any:
    """Return the value of a parameter that has an old and a new name.

    Parameters
    ----------
    old, new : str
        The names.
    old_value : object
        What was given by the old name; `NOT_GIVEN` if nothing was.
    new_value : object
        What was given by the new name, or its default.
    since, until : str
        The release that warns first, and the one in which the old name is gone.

    Returns
    -------
    object
        The old value where it was given, with a warning; else the new one.

    Examples
    --------
    >>> from skdeepenc._deprecation import NOT_GIVEN, renamed
    >>> renamed("k", NOT_GIVEN, "n_clusters", 100, since="0.2", until="0.4")
    100
    """
    if isinstance(old_value, str) and old_value == NOT_GIVEN:
        return new_value
    warnings.warn(
        f"The parameter {old!r} was renamed {new!r} in version {since} and will be removed in "
        f"{until}: write {new}={old_value!r}.",
        FutureWarning,
        stacklevel=3,
    )
    return old_value
