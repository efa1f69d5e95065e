"""best_window: the right place, the paper's windows, and clear refusals."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError

from skdeepenc.exceptions import ClassifierError
from skdeepenc.inspection import WindowScanDisplay, best_window
from skdeepenc.inspection.window_scan import ScoredWindow, _windows

Figure = pytest.importorskip("matplotlib.figure").Figure


class Brightness(ClassifierMixin, BaseEstimator):
    """Scores images by how bright they are; `shape` says what its decisions look like."""

    def __init__(self, shape="two classes"):
        self.shape = shape

    def fit(self, X=None, y=None):
        n_classes = 2 if self.shape == "two classes" else 3
        self.classes_ = np.array(["dark", "bright", "other"][:n_classes])
        return self

    def decision_function(self, X):
        self.sizes_ = [image.shape[:2] for image in X]
        bright = np.array([image.mean() for image in X])
        if self.shape == "two classes":
            return bright
        return np.stack([-bright, bright, np.zeros_like(bright)], axis=1)


def image_with_bright_square():
    """Return a dark image, 128 x 512, that is bright at rows 32 to 96, columns 256 to 512."""
    image = np.zeros((128, 512, 3), dtype=np.uint8)
    image[32:96, 256:] = 255
    return image


@pytest.mark.parametrize("shape", ["two classes", "three classes"])
def test_finds_the_bright_square_in_pixels_of_the_image(shape):
    """The image is warped to 256 x 256: the bright part becomes a square of 128."""
    classifier = Brightness(shape).fit()
    window = best_window(classifier, image_with_bright_square(), "bright")
    assert window.box == (32, 256, 96, 512)
    assert window.width == 128
    assert window.score > 250
    dark = best_window(classifier, image_with_bright_square(), "dark")
    assert dark.box == (0, 0, 64, 256)


def test_windows_of_the_paper():
    classifier = Brightness().fit()
    best_window(classifier, image_with_bright_square(), "bright")
    counts = {(224, 224): 9, (192, 192): 25, (160, 160): 49, (128, 128): 81}
    sizes, numbers = np.unique(classifier.sizes_, axis=0, return_counts=True)
    assert {tuple(size): number for size, number in zip(sizes, numbers, strict=True)} == counts


def test_windows_stay_inside_the_image():
    boxes = _windows((100,), 60, 256)
    assert_array_equal(np.unique(boxes[:, 0]), [0, 60, 120])
    assert boxes.min() == 0
    assert boxes.max() <= 256


def test_display_frames_the_window():
    classifier = Brightness().fit()
    image = image_with_bright_square()
    display = WindowScanDisplay.from_estimator(classifier, image, "bright", widths=[128])
    assert display.window == best_window(classifier, image, "bright", widths=[128])
    assert display.ax_.get_title().startswith("bright, score 25")
    assert display.frame_.get_bbox().bounds == (255.5, 31.5, 256, 64)
    figure = Figure()
    ax = figure.subplots()
    window = ScoredWindow((0, 0, 4, 4), 128, 0.5)
    unnamed = WindowScanDisplay(image=image, window=window).plot(ax=ax)
    assert unnamed.figure_ is figure
    assert ax.get_title() == "score 0.50"


def test_bad_input_is_named():
    image = image_with_bright_square()
    with pytest.raises(ClassifierError, match=r"'brigt' is not a class of Brightness.*bright"):
        best_window(Brightness().fit(), image, "brigt")
    with pytest.raises(NotFittedError):
        best_window(Brightness(), image, "bright")
    for wrong in ({"widths": [300]}, {"widths": []}, {"widths": [0]}, {"stride": 0}):
        with pytest.raises(ValueError, match="widths from 1 to the image's 256"):
            best_window(Brightness().fit(), image, "bright", **wrong)
