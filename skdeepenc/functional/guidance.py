"""Guidance maps for a task: the filters' responses, and the loss that they are trained by.

Section 3.4 of Liu, Shen and van den Hengel, "Cross-Convolutional-Layer Pooling for Image
Recognition". The guidance of filters f_k with intercepts b_k at a descriptor x is

    a_k(x) = max(f_k . x + b_k, 0),

a 1 x 1 convolution with ReLU. They are trained on the classes t of images through global maximum
pooling and multinomial logistic regression,

    loss = - sum_images log softmax(W max_i a(x_i) + c)_t.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

from skdeepenc.arrays.segments import matmul_by_segment, segment_max, segment_sum

__all__ = ["Filters", "literal_loss", "loss_and_gradients", "responses"]


@dataclass(frozen=True)
class Filters:
    """A 1 x 1 convolution with ReLU.

    Attributes
    ----------
    coef : ndarray of shape (D, n_filters)
        The filters.
    intercept : ndarray of shape (n_filters,)
        What is added before the ReLU.
    """

    coef: np.ndarray
    intercept: np.ndarray


def literal_loss(parameters, images, targets):
    """Add up the cross-entropy image by image, as the equation reads."""
    filters, intercepts, weights, class_intercepts = parameters
    loss = 0.0
    for descriptors, target in zip(images, targets, strict=True):
        activations = np.maximum(descriptors @ filters + intercepts, 0)
        scores = activations.max(axis=0) @ weights + class_intercepts
        loss -= np.log(np.exp(scores[target]) / np.exp(scores).sum())
    return loss


def responses(column, filters):
    """Return the guidance (total, n_filters) at every descriptor, each image alone."""
    dtype = column.values.dtype
    coef = filters.coef.astype(dtype, copy=False)
    activations = matmul_by_segment(column.values, column.image_offsets, coef)
    activations += filters.intercept.astype(dtype, copy=False)
    return np.maximum(activations, 0, out=activations)


def loss_and_gradients(parameters, descriptors, offsets, targets):
    """Compute the cross-entropy, summed over images, and its gradients.

    Parameters
    ----------
    parameters : list of four ndarrays
        Filters (D, K), their intercepts (K,), weights of the classifier (K, n_classes) and its
        intercepts (n_classes,).
    descriptors : ndarray of shape (total, D)
        Descriptors of all images.
    offsets : ndarray of int of shape (n_images + 1,)
        Where each image starts, and where the last one ends.
    targets : ndarray of int of shape (n_images,)
        Number of the class of each image.

    Returns
    -------
    loss : float
        The sum over images.
    gradients : list of four ndarrays
        With respect to each of the parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.functional.guidance import loss_and_gradients
    >>> parameters = [np.ones((3, 2)), np.zeros(2), np.zeros((2, 4)), np.zeros(4)]
    >>> loss, _ = loss_and_gradients(parameters, np.ones((5, 3)), [0, 5], [1])
    >>> round(loss, 4)  # four classes that are equally likely
    1.3863
    """
    filters, intercepts, weights, class_intercepts = parameters
    activations = np.maximum(descriptors @ filters + intercepts, 0)
    pooled = segment_max(activations, offsets)
    log_probabilities = log_softmax(pooled @ weights + class_intercepts, axis=1)
    images = np.arange(len(pooled))
    loss = -log_probabilities[images, targets].sum(dtype=np.float64)

    by_class = np.exp(log_probabilities)
    by_class[images, targets] -= 1
    by_filter = by_class @ weights.T
    # The gradient goes to the position of the maximum, in equal shares where several have it.
    image_of_row = np.repeat(images, np.diff(offsets))
    winners = (activations == pooled[image_of_row]) & (activations > 0)
    shares = by_filter / np.maximum(segment_sum(winners.astype(descriptors.dtype), offsets), 1)
    by_activation = winners * shares[image_of_row]
    gradients = [
        descriptors.T @ by_activation,
        by_activation.sum(axis=0),
        pooled.T @ by_class,
        by_class.sum(axis=0),
    ]
    return float(loss), gradients
