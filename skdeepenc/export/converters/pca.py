"""Principal components, as `skdeepenc.functional.pca` applies them."""

import numpy as np

from skdeepenc.export.converters.normalize import unit_or_zero

__all__ = ["project", "project_to_unit"]


def project(x, pca, origin=0.0):
    """Return the components of the last axis, seen from an origin: ``W (x - m) - origin``."""
    directions = pca.components_.T.astype(np.float64)
    if pca.whiten:
        deviations = np.sqrt(pca.explained_variance_)
        directions = directions / np.where(deviations > 0, deviations, np.inf)
    return x @ directions + -(pca.mean_ @ directions + origin)


def project_to_unit(g, x, pca):
    """Project vectors and bring them to unit length; vectors of zeros stay zero."""
    return unit_or_zero(g, project(x, pca), x)
