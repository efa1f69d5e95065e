"""VLFeat, called through its C library as cyvlfeat wraps it, where it is installed.

Debian calls the package libvlfeat1; `python -m benchmarks` compares with it where it finds it.
"""

import ctypes
import ctypes.util

import numpy as np

_FLOAT, _SQUARE_ROOT = 1, 2
IMPROVED = 3  # of Fisher vectors: square roots, and unit length
_POINTER = ctypes.POINTER(ctypes.c_float)
_SIZE = ctypes.c_ulonglong


def library():
    """Return VLFeat's library, or None."""
    path = ctypes.util.find_library("vl")
    return None if path is None else ctypes.CDLL(path)


def fisher_encoder(vl, mixture, flags=0):
    """Return a function that makes the Fisher vector of descriptors, unnormalised by default."""
    vl.vl_fisher_encode.argtypes = [
        *(_POINTER, ctypes.c_uint32),
        *(_POINTER, _SIZE, _SIZE),
        *(_POINTER, _POINTER, _POINTER, _SIZE, ctypes.c_int),
    ]
    vl.vl_fisher_encode.restype = _SIZE
    means, covariances, weights = (np.ascontiguousarray(part, np.float32) for part in mixture)
    n_gaussians, n_channels = means.shape

    def encode(descriptors):
        vector = np.empty(2 * means.size, dtype=np.float32)
        arrays = (vector, means, covariances, weights, descriptors)
        out, mu, sigma, prior, data = (array.ctypes.data_as(_POINTER) for array in arrays)
        vl.vl_fisher_encode(
            out, _FLOAT, mu, n_channels, n_gaussians, sigma, prior, data, len(descriptors), flags
        )
        return vector

    return encode


def vlad_encoder(vl, centers, flags=_SQUARE_ROOT):
    """Return a function that makes the VLAD of an image, given dense assignments."""

    def encode(descriptors, assignment):
        vector = np.empty(centers.size, np.float32)
        vl.vl_vlad_encode(
            *(vector.ctypes.data_as(_POINTER), _FLOAT, centers.ctypes.data_as(_POINTER)),
            *(_SIZE(centers.shape[1]), _SIZE(centers.shape[0])),
            *(descriptors.ctypes.data_as(_POINTER), _SIZE(len(descriptors))),
            *(assignment.ctypes.data_as(_POINTER), flags),
        )
        return vector

    return encode
