"""What is supposed of a model that nobody described, and saying so once."""

import warnings

from skdeepenc.exceptions import ModelWarning

USUAL_SIZE = 224
# What this process has said; a model's digest and words.
_SAID: set[tuple[str, str]] = set()


def warn_of_assumptions(name, digest, assumptions):
    """Warn of what is supposed of a model, once a process, unless nothing is.

    Parameters
    ----------
    name : str
        What to call the model.
    digest : str
        Of its content.
    assumptions : dict of str to str
        What is supposed, by the parameter that would say it.
    """
    taken = ", and ".join(assumptions.values())
    message = (
        f"Nothing says how {name} wants its images: taking {taken}. If that is wrong, give "
        f"{', '.join(assumptions)} or a whole spec=ModelSpec(...), which for a transformer may say "
        "the patch_size too, or put its authors' preprocessor_config.json beside the file."
    )
    if assumptions and (digest, message) not in _SAID:
        _SAID.add((digest, message))
        warnings.warn(message, ModelWarning, stacklevel=4)
