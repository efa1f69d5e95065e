"""Execution providers: which to ask for, and what to say of those that do not run."""

import difflib
import warnings
from importlib import metadata

from skdeepenc.exceptions import ModelError, ModelWarning

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
# Whose arrays lie in the memory of a GPU of Nvidia's.
ON_CUDA = (CUDA, "TensorrtExecutionProvider")
# Tried in this order by providers="auto". TensorRT is left to those who name it: it compiles for
# minutes before the first image.
AUTOMATIC = (CUDA, "ROCMExecutionProvider", CPU)
# Distributions of one package; pip installs both if asked to.
_RIVALS = ("onnxruntime", "onnxruntime-gpu")


def provider_name(provider):
    """Return the name of a provider that may come with options."""
    return provider if isinstance(provider, str) else provider[0]


def resolve(providers, present, known):
    """Return the providers to ask for, best first, the processor always last.

    Parameters
    ----------
    providers : "auto", str or list of (str or (str, dict))
        What the user wants.
    present : list of str
        What this onnxruntime was built with.
    known : list of str
        What any onnxruntime could have.

    Returns
    -------
    list
        Names, or pairs of a name and options.

    Raises
    ------
    ModelError
        If onnxruntime knows no provider of such a name.
    """
    if isinstance(providers, str):
        if providers == "auto":
            return [name for name in AUTOMATIC if name in present]
        providers = [providers]
    for name in map(provider_name, providers):
        if name not in known:
            nearest = ", ".join(_nearest(str(name), known))
            raise ModelError(f"onnxruntime has no provider {name!r}; nearest: {nearest}.")
    chosen = list(providers)
    return chosen if CPU in map(provider_name, chosen) else [*chosen, CPU]


def _nearest(name, known):
    """Return similar names, whatever their case: CudaExecutionProvider means CUDA's."""
    cased = {each.lower(): each for each in known}
    return [cased[key] for key in difflib.get_close_matches(name.lower(), cased, 3, 0.3)] or known


def warn_of_missing(requested, running, said):
    """Warn of providers that were asked for and do not run, unless that was said before.

    Parameters
    ----------
    requested : list of (str or (str, dict))
        What was asked for.
    running : list of str
        What runs.
    said : set of str
        The providers that this process has warned of; those of this call are added.
    """
    unsaid = {provider_name(provider) for provider in requested} - {*running} - said
    if not unsaid:
        return
    said |= unsaid
    warnings.warn(
        f"{', '.join(sorted(unsaid))} was asked for and does not run here; running on "
        f"{', '.join(running)}. {_cure(unsaid)}",
        ModelWarning,
        stacklevel=4,
    )


def _cure(missing):
    """Return what to install, so that a missing provider runs."""
    if CUDA in missing and all(map(_is_installed, _RIVALS)):
        return (
            f"{' and '.join(_RIVALS)} are both installed, and the files of one overwrite those of "
            f"the other. Uninstall both, then: pip install {_RIVALS[1]}."
        )
    return (
        'For CUDA\'s libraries run `pip install ".[cuda]"` in the folder that skdeepenc was '
        "installed from."
    )


def _is_installed(distribution):
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True
