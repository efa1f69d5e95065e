"""Image representations from the activations of any ONNX backbone, as scikit-learn estimators."""

from skdeepenc._version import __version__

__all__ = ["__version__"]
