"""What stands between encoder and classifier: scaling, projections, normalisation."""

from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler

from skdeepenc import functional
from skdeepenc.encoders import PowerLawWhitening, SupervisedWhitening
from skdeepenc.exceptions import ExportError
from skdeepenc.export.converters.normalize import l2_normalize, or_one, power_normalize
from skdeepenc.export.converters.pca import project
from skdeepenc.export.registry import register

_NORMS = {
    "l2": l2_normalize,
    "l1": lambda g, x: x / or_one(g, g.Abs(x).sum(1, keepdims=True)),
    "max": lambda g, x: x / or_one(g, g.Abs(x).max(1, keepdims=True)),
}


@register(Normalizer)
def write_normalizer(g, normalizer, x):
    """Return the vectors at unit length."""
    return _NORMS[normalizer.norm](g, x)


@register(StandardScaler)
def write_scaler(g, scaler, x):
    """Return ``(x - mean) / scale``."""
    x = x if scaler.mean_ is None or not scaler.with_mean else x - scaler.mean_
    return x if scaler.scale_ is None else x / scaler.scale_


@register(PCA)
def write_pca(g, pca, x):
    """Return the principal components."""
    return project(x, pca)


@register(SupervisedWhitening)
@register(PowerLawWhitening)
def write_whitening(g, whitening, x):
    """Return ``P (x - m)``."""
    mean, components = (each.astype(float) for each in (whitening.mean_, whitening.components_))
    return x @ components.T - components @ mean


@register(TruncatedSVD)
def write_svd(g, svd, x):
    """Return the singular components, which are of what was not centred."""
    return x @ svd.components_.T


@register(FunctionTransformer)
def write_function(g, transformer, x):
    """Return what a function of `skdeepenc.functional` makes of the vectors."""
    if transformer.func is None:
        return x
    if transformer.func not in _FUNCTIONS:
        known = ", ".join(sorted(function.__name__ for function in _FUNCTIONS))
        raise ExportError(
            f"No graph is known for the function {_name(transformer.func)}: use one of {known} of "
            "skdeepenc.functional, or write an estimator and register a converter for it."
        )
    return _FUNCTIONS[transformer.func](g, x, **(transformer.kw_args or {}))


def _name(function):
    return getattr(function, "__qualname__", repr(function))


def _unit(g, x, axis=-1):
    if axis not in (-1, 1):
        raise ExportError(
            f"l2_normalize over axis={axis} mixes the images of a batch: use axis=-1 or 1."
        )
    return l2_normalize(g, x)


def _power(g, x, exponent=0.5):
    return power_normalize(g, x, exponent)


_FUNCTIONS = {functional.l2_normalize: _unit, functional.power_normalize: _power}
