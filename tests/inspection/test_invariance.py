"""InvarianceDisplay: transformations worked by hand, known scores, one curve a classifier."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from sklearn.base import BaseEstimator, ClassifierMixin

from skdeepenc.exceptions import ImageError
from skdeepenc.inspection import InvarianceDisplay, image_transformations

Figure = pytest.importorskip("matplotlib.figure").Figure

# Every pixel of a square of 10 tells its place: row * 10 + column.
PLACES = np.arange(100, dtype=np.uint8).reshape(10, 10)
KINDS = ["scaling", "translation right", "translation down", "flip", "rotation"]


class BrighterSide(ClassifierMixin, BaseEstimator):
    """Names the brighter half of an image, and remembers the images it was shown."""

    def fit(self, X, y=None):
        self.classes_ = np.array(["left", "right"])
        self.shown_ = []
        return self

    def predict(self, X):
        self.shown_.append(X)
        halves = [np.array_split(image, 2, axis=1) for image in X]
        return np.array(["left" if a.mean() > b.mean() else "right" for a, b in halves])


class AlwaysLeft(BrighterSide):
    def predict(self, X):
        return np.full(len(X), "left")

    def score(self, X, y):
        return 0.25


def half_images():
    """Return three images, 12 by 20, of which one half is bright, and which it is."""
    image = np.zeros((12, 20, 3), dtype=np.uint8)
    image[:, :10] = 255
    return [image, image[:, ::-1], image], ["left", "right", "left"]


def transformed(kind, amount, pixels=PLACES):
    return np.asarray(image_transformations()[kind, amount](Image.fromarray(pixels)))


def test_the_transformations_are_the_papers():
    table = image_transformations()
    amounts = {kind: [amount for own, amount in table if own == kind] for kind in KINDS}
    assert len(table) == sum(map(len, amounts.values()))
    assert amounts["scaling"] == [f"10/{n}" for n in (10, 9, 8, 7, 6, 5, 4)]
    assert amounts["translation right"] == amounts["translation down"] == [-40, -20, 0, 20, 40]
    assert amounts["flip"] == ["none", "horizontal", "vertical"]
    assert amounts["rotation"] == [-20, -10, -5, 0, 5, 10, 20]


@pytest.mark.parametrize(
    ("ratio", "rows"),
    [("10/10", slice(0, 10)), ("10/8", slice(1, 9)), ("10/6", slice(2, 8)), ("10/4", slice(3, 7))],
)
def test_scaling_keeps_the_middle(ratio, rows):
    assert_array_equal(transformed("scaling", ratio), PLACES[rows, rows])


def test_half_the_size_is_the_middle_half():
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert_array_equal(transformed("scaling", "10/5", pixels), pixels[2:6, 2:6])


@pytest.mark.parametrize(("amount", "start"), [(-40, 0), (-20, 18), (0, 38), (20, 58), (40, 77)])
def test_translations_move_a_crop_of_seven_tenths(amount, start):
    """179 of 256 pixels start at 38; 40 more or less is one or two beyond the edge."""
    ramp = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    moved = transformed("translation right", amount, ramp)
    assert_array_equal(moved, ramp[:179, start : start + 179])
    assert_array_equal(transformed("translation down", amount, ramp.T), moved.T)


def test_translations_are_parts_of_the_side():
    ramp = np.tile(np.arange(128, dtype=np.uint8), (128, 1))
    assert_array_equal(transformed("translation right", 20, ramp)[0], np.arange(19 + 10, 119))


def test_flips_are_numpys():
    assert_array_equal(transformed("flip", "none"), PLACES)
    assert_array_equal(transformed("flip", "horizontal"), PLACES[:, ::-1])
    assert_array_equal(transformed("flip", "vertical"), PLACES[::-1])


def test_rotation_turns_counterclockwise_about_the_centre():
    """A line from the centre to the right rises by the tangent of the angle."""
    pixels = np.zeros((256, 256), dtype=np.uint8)
    pixels[127:129, 128:] = 255
    for degrees in (-20, -5, 0, 10):
        turned = transformed("rotation", degrees, pixels)
        assert turned.shape == (179, 179)
        y = np.average(np.arange(179), weights=turned[:, 128 - 38 + 75])
        centre = 127.5 - 38
        assert_allclose(centre - y, 75.5 * np.tan(np.radians(degrees)), atol=0.6)


@pytest.mark.parametrize("size", [(256, 256), (8, 8), (31, 45), (1, 1)])
def test_nothing_outside_the_image_is_seen(size):
    white = Image.new("L", size, 255)
    for transform in image_transformations().values():
        pixels = np.asarray(transform(white))
        assert pixels.size
        assert_array_equal(pixels, 255)


def test_kinds_are_chosen_by_name():
    chosen = image_transformations(["rotation", "flip"])
    assert list(dict.fromkeys(kind for kind, _ in chosen)) == ["rotation", "flip"]
    with pytest.raises(ValueError, match=r"\['turning'\]; known are \['scaling', "):
        image_transformations(["flip", "turning"])


def test_transformations_can_be_sent_to_other_processes():
    image = Image.effect_noise((16, 16), 50)
    sent = pickle.loads(pickle.dumps(image_transformations()))
    for key, transform in image_transformations().items():
        assert sent[key](image) == transform(image)


def test_scores_are_accuracies():
    """Only mirroring changes which half is brighter; two of three images are of the left."""
    images, sides = half_images()
    estimators = {"sides": BrighterSide().fit(images), "left": AlwaysLeft().fit(images)}
    display = InvarianceDisplay.from_estimator(estimators, images, sides, side=64)
    assert list(display.scores) == list(image_transformations())
    for (kind, amount), scores in display.scores.items():
        right = 0.0 if (kind, amount) == ("flip", "horizontal") else 1.0
        assert scores == {"sides": right, "left": pytest.approx(2 / 3)}


def test_estimators_see_transformed_squares():
    images, sides = half_images()
    seen = []
    table = {
        ("size", "all"): lambda square: seen.append(square.size) or square,
        ("crop", 2): lambda square: square.crop((0, 0, 4, 2)),
    }
    first, second = BrighterSide().fit(images), BrighterSide().fit(images)
    InvarianceDisplay.from_estimator(
        {"first": first, "second": second}, images, sides, transformations=table, side=6
    )
    assert seen == [(6, 6)] * 3
    for whole, cropped in (first.shown_, second.shown_):
        assert {(image.shape, image.dtype.name) for image in whole} == {((6, 6, 3), "uint8")}
        assert {image.shape for image in cropped} == {(2, 4, 3)}
    warped = Image.fromarray(images[1]).resize((6, 6), Image.Resampling.BILINEAR)
    assert_array_equal(first.shown_[0][1], np.asarray(warped))


def test_images_are_whatever_can_be_decoded(tmp_path):
    images, sides = half_images()
    path = tmp_path / "left.png"
    Image.fromarray(images[0]).save(path)
    mixed = [path, Image.fromarray(images[1]), path.read_bytes()]
    chosen = {"transformations": image_transformations(["flip"]), "side": 8}
    display = InvarianceDisplay.from_estimator(BrighterSide().fit(mixed), mixed, sides, **chosen)
    assert display.scores["flip", "none"] == {"BrighterSide": 1.0}
    with pytest.raises(ImageError, match=r"gone\.png: there is no such file"):
        InvarianceDisplay.from_estimator(BrighterSide().fit(mixed), ["gone.png"], ["left"])


def test_other_scores_are_drawn_by_their_name():
    images, sides = half_images()
    chosen = {"transformations": image_transformations(["flip"]), "side": 8}
    estimator = AlwaysLeft().fit(images)
    for scoring, name, score in (
        ("accuracy", "accuracy", 2 / 3),
        ("balanced_accuracy", "balanced_accuracy", 1 / 2),
        (None, "score", 1 / 4),
        (lambda estimator, X, y: 1 / 8, "score", 1 / 8),
    ):
        display = InvarianceDisplay.from_estimator(
            estimator, images, sides, scoring=scoring, **chosen
        )
        assert display.scores["flip", "none"]["AlwaysLeft"] == pytest.approx(score)
        assert display.axes_[0].get_ylabel() == name


def test_draws_one_panel_per_kind_and_one_curve_per_classifier():
    scores = {
        ("scaling", "10/10"): {"global": 0.5, "MOP-CNN": 0.75},
        ("flip", "none"): {"global": 0.25, "MOP-CNN": 1.0},
        ("scaling", "10/4"): {"global": 0.125, "MOP-CNN": 0.625},
    }
    figure = Figure()
    display = InvarianceDisplay(scores=scores).plot(figure=figure)
    assert display.figure_ is figure
    assert list(display.axes_) == figure.axes
    assert [axes.get_title() for axes in display.axes_] == ["scaling", "flip"]
    assert [axes.get_ylabel() for axes in display.axes_] == ["accuracy", ""]
    curves = {line.get_label(): line.get_ydata().tolist() for line in display.axes_[0].lines}
    assert curves == {"global": [0.5, 0.125], "MOP-CNN": [0.75, 0.625]}
    figure.canvas.draw()
    ticks = [label.get_text() for label in display.axes_[0].get_xticklabels()]
    assert ticks == ["10/10", "10/4"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["global", "MOP-CNN"]
    flips = display.axes_[1].lines
    assert {line.get_linestyle() for line in flips} == {"None"}  # nothing is between two flips
    assert flips[0].get_xdata()[0] < 0 < flips[1].get_xdata()[0]  # and none hides the other


def test_panels_stand_in_two_columns_with_as_many_amounts_as_can_be_read():
    amounts = image_transformations(["scaling", "rotation", "flip"])
    scores = {amount: {"global": 0.5} for amount in amounts}
    display = InvarianceDisplay(scores=scores).plot()
    assert display.figure_.axes == list(display.axes_)
    corners = [axes.get_position().p0 for axes in display.axes_]
    assert corners[0][0] == corners[2][0] < corners[1][0]
    assert corners[0][1] == corners[1][1] > corners[2][1]
    ticks = [label.get_text() for label in display.axes_[0].get_xticklabels()]
    assert ticks == ["10/10", "10/8", "10/6", "10/4"]


def test_bad_input_is_named():
    images, sides = half_images()
    estimator = BrighterSide().fit(images)
    make = InvarianceDisplay.from_estimator
    with pytest.raises(ValueError, match="There are 3 images but 2 labels in y"):
        make(estimator, images, sides[:2])
    with pytest.raises(ValueError, match="There is no estimator"):
        make({}, images, sides)
    with pytest.raises(ValueError, match="There is no image"):
        make(estimator, [], [])
    with pytest.raises(ValueError, match="There is no transformation"):
        make(estimator, images, sides, transformations={})
