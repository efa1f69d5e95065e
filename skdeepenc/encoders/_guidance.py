"""Learn guidance maps for a task: filters whose strongest responses tell the classes apart.

Layers that were trained for another task may hold no good part detectors for this one. So a new
1 x 1 convolution with ReLU is trained on the labels of the images: its maps, pooled by their
maximum over the image, are the input of a multinomial logistic regression. Only the convolution is
kept.
"""

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state, gen_batches

from skdeepenc._progress import progress_bar
from skdeepenc._sklearn import Interval
from skdeepenc.functional.guidance import Filters, loss_and_gradients
from skdeepenc.maps import sample_descriptors

__all__ = ["GuidanceFilters"]

_MOMENTUM = 0.9


class GuidanceFilters(BaseEstimator):
    """A 1 x 1 convolution with ReLU, trained through global max pooling and logistic regression.

    Learning rate and epochs are the paper's. It is silent on mini-batches and momentum, which are
    ours: in 50 epochs momentum brings the loss on flowers to a tenth of what plain steps reach.
    Descriptors are scaled to unit root mean square, so that one learning rate fits all layers.

    Parameters
    ----------
    n_filters : int, default=100
        Number of filters.
    learning_rate : float, default=0.01
        Size of a step of stochastic gradient descent with momentum 0.9.
    n_epochs : int, default=50
        How many times every image is seen.
    batch_size : int, default=32
        Number of images of a step.
    max_samples : int, default=256000
        Most descriptors to measure the scale on.
    random_state : int, RandomState or None, default=None
        Seed of the first filters and of the order of images.
    verbose : int, default=0
        Whether to show the progress and the loss; above 1 the bar stays on the screen.

    Attributes
    ----------
    coef_ : ndarray of shape (D, n_filters)
        The filters.
    intercept_ : ndarray of shape (n_filters,)
        What is added before the ReLU.
    classifier_coef_ : ndarray of shape (n_filters, n_classes)
        Weights of the logistic regression that the filters were trained with.
    classifier_intercept_ : ndarray of shape (n_classes,)
        Its intercepts.
    record_ : Filters
        Filters and intercepts alone.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    loss_curve_ : list of float
        Mean cross-entropy of each epoch, over the steps that it took.
    n_iter_ : int
        Number of epochs that were run.

    Notes
    -----
    Section 3.4, "Adding a New Convolutional Layer for the AConv Layer", and Section 4.1.1 of Liu,
    Shen and van den Hengel, "Cross-Convolutional-Layer Pooling for Image Recognition".

    Examples
    --------
    >>> import numpy as np
    >>> from skdeepenc.encoders._guidance import GuidanceFilters
    >>> from skdeepenc.maps import FeatureMaps
    >>> maps = FeatureMaps.from_arrays(np.random.RandomState(0).rand(20, 3, 3, 5))
    >>> filters = GuidanceFilters(n_filters=4, random_state=0).fit(maps, np.arange(20) % 2)
    >>> filters.coef_.shape
    (5, 4)
    """

    _parameter_constraints: dict[str, Any] = {
        "n_filters": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "n_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_samples": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        n_filters=100,
        learning_rate=0.01,
        n_epochs=50,
        batch_size=32,
        max_samples=256_000,
        random_state=None,
        verbose=0,
    ):
        self.n_filters = n_filters
        self.learning_rate = learning_rate
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.max_samples = max_samples
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, maps, y):
        """Train the filters.

        Parameters
        ----------
        maps : FeatureMaps
            Maps of one layer.
        y : array-like of shape (n_images,)
            Labels of the images.

        Returns
        -------
        self : GuidanceFilters
            The trained filters.
        """
        self._validate_params()
        rng = check_random_state(self.random_state)
        self.classes_, targets = np.unique(y, return_inverse=True)
        sample = sample_descriptors(maps, max_samples=self.max_samples, random_state=rng)
        scale: Any = (
            float(np.sqrt(np.mean(np.square(sample, dtype=np.float64)))) if sample.size else 0
        )
        scale = sample.dtype.type(scale or 1)
        parameters = self._initial_parameters(sample.shape[1], sample.dtype, rng)
        self.loss_curve_ = self._descend(parameters, maps, targets, scale, rng)
        self.n_iter_ = len(self.loss_curve_)
        filters, self.intercept_, self.classifier_coef_, self.classifier_intercept_ = parameters
        self.coef_ = filters / scale
        return self

    @property
    def record_(self):
        """What `skdeepenc.functional.guidance.responses` computes with."""
        return Filters(self.coef_, self.intercept_)

    def _initial_parameters(self, n_channels, dtype, rng):
        """Draw weights that keep the variance of the layer below (He et al., 2015)."""
        n_filters, n_classes = self.n_filters, len(self.classes_)
        filters = rng.standard_normal((n_channels, n_filters)) * np.sqrt(2 / n_channels)
        weights = rng.standard_normal((n_filters, n_classes)) * np.sqrt(1 / n_filters)
        parameters = filters, np.zeros(n_filters), weights, np.zeros(n_classes)
        return [parameter.astype(dtype) for parameter in parameters]

    def _descend(self, parameters, maps, targets, scale, rng):
        """Take the steps of all epochs, in place; return the mean loss of each epoch."""
        velocities = [np.zeros_like(parameter) for parameter in parameters]
        losses = []
        epochs = progress_bar(
            range(self.n_epochs), verbose=self.verbose, description="guidance", unit="epoch"
        )
        for _ in epochs:
            order, loss = rng.permutation(len(maps)), 0.0
            for rows in gen_batches(len(maps), self.batch_size):
                images = order[rows]
                summed, gradients = _sum_parts(parameters, maps[images], targets[images], scale)
                _step(parameters, velocities, gradients, self.learning_rate / len(images))
                loss += summed
            losses.append(loss / len(maps))
            epochs.set_postfix(loss=f"{losses[-1]:.4f}")
        return losses


def _step(parameters, velocities, gradients, rate):
    for parameter, velocity, gradient in zip(parameters, velocities, gradients, strict=True):
        velocity *= _MOMENTUM
        velocity -= rate * gradient
        parameter += velocity


def _sum_parts(parameters, maps, targets, scale):
    """Add up loss and gradients over parts of a mini-batch that fit the working memory."""
    first = 0
    loss, gradients = 0.0, [np.zeros_like(parameter) for parameter in parameters]
    for part in maps.iter_batches():
        some = targets[first : first + len(part)]
        column = part.column(part.layers[0])
        descriptors, offsets = column.values / scale, column.image_offsets
        summed, of_part = loss_and_gradients(parameters, descriptors, offsets, some)
        loss, first = loss + summed, first + len(part)
        for gradient, more in zip(gradients, of_part, strict=True):
            gradient += more
    return loss, gradients
