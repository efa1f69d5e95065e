"""Image representations from the activations of any ONNX backbone, as scikit-learn estimators.

The public names stand in `__init__.pyi`, which type checkers read as well. Each comes from its room
when it is first used, so that encoders work where no ONNX library is installed and
``import skdeepenc`` costs nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
