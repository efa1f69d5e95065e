"""Estimators of estimators: pipelines in pipelines, parallel parts, the best of a search."""

from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline

from skdeepenc.exceptions import ExportError
from skdeepenc.export.registry import convert, register, vectors_of
from skdeepenc.export.tensor import Tensor


@register(Pipeline)
def write_pipeline(g, pipeline, inputs):
    """Return what the last step returns."""
    made, before = inputs, ""
    for name, step in pipeline.steps:
        if step not in (None, "passthrough"):
            made, before = convert(g, step, vectors_of(made, before)), name
    return made


@register(FeatureUnion)
def write_union(g, union, inputs):
    """Return the vectors of all parts side by side."""
    weights = union.transformer_weights or {}
    parts = []
    for name, part in union.transformer_list:
        if part == "drop":
            continue
        made = inputs if part == "passthrough" else convert(g, part, inputs)
        vectors = vectors_of(made, name)
        if not isinstance(vectors, Tensor):
            raise ExportError(
                f"The part {name!r} of a FeatureUnion gives no vectors: put encoders and what "
                "makes vectors into it."
            )
        parts.append(vectors * float(weights[name]) if name in weights else vectors)
    if not parts:
        raise ExportError("A FeatureUnion without parts gives no vectors.")
    return g.concat(parts, axis=1)


@register(GridSearchCV)
@register(RandomizedSearchCV)
def write_search(g, search, inputs):
    """Return what the best estimator returns."""
    if not hasattr(search, "best_estimator_"):
        raise ExportError(f"{type(search).__name__} with refit=False has no estimator to export.")
    return convert(g, search.best_estimator_, inputs)


@register(FrozenEstimator)
def write_frozen(g, frozen, inputs):
    """Return what the estimator inside returns."""
    return convert(g, frozen.estimator, inputs)
