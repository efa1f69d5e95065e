"""Whatever makes a display from data also draws it, once, as scikit-learn's displays do."""

import inspect
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

import skdeepenc.inspection
from skdeepenc.encoders import ClusterMAC, GlobalPooler, MultiScaleFisherEncoder
from skdeepenc.exceptions import MissingDependencyError
from skdeepenc.inspection import (
    ClusterMapDisplay,
    ConfidenceMapDisplay,
    InvarianceDisplay,
    MatchDisplay,
    RankingDisplay,
    WindowScanDisplay,
)
from skdeepenc.retrieval import NearestNeighborRanker

pyplot = pytest.importorskip("matplotlib.pyplot")
Figure = pytest.importorskip("matplotlib.figure").Figure
Text = pytest.importorskip("matplotlib.text").Text

SHADES = np.array([0, 80, 160, 240])
IMAGES = [np.full((24, 32, 3), shade, dtype=np.uint8) for shade in SHADES]
MAPS = np.random.default_rng(0).random((4, 6, 8, 5), dtype=np.float32)
LABELS = np.array(["night", "night", "day", "day"])


def clusters(**drawn):
    encoder = ClusterMAC(n_clusters=2, n_color_clusters=0, random_state=0).fit(MAPS)
    return ClusterMapDisplay.from_estimator(encoder, MAPS, IMAGES, **drawn)


def confidence(**drawn):
    extractor = FunctionTransformer(lambda images: MAPS[: len(images)])
    encoder = MultiScaleFisherEncoder(n_gaussians=2, random_state=0)
    pipeline = make_pipeline(extractor, encoder, LinearSVC()).fit(IMAGES, LABELS)
    return ConfidenceMapDisplay.from_estimator(pipeline, IMAGES[0], "night", **drawn)


def ranking(**drawn):
    ranker = NearestNeighborRanker().fit(MAPS[:, 0, 0])
    return RankingDisplay.from_estimator(
        ranker, MAPS[:2, 0, 0], query_images=IMAGES[:2], gallery_images=IMAGES, **drawn
    )


def known_ranking(**drawn):
    return RankingDisplay.from_predictions(
        [[0, 1], [2, 3]], query_images=IMAGES[:2], gallery_images=IMAGES, **drawn
    )


def by_brightness():
    brightness = FunctionTransformer(
        lambda images: np.array([[np.mean(image) / 255] for image in images])
    )
    return make_pipeline(brightness, LogisticRegression()).fit(IMAGES, LABELS)


def invariance(**drawn):
    return InvarianceDisplay.from_estimator(by_brightness(), IMAGES, LABELS, side=16, **drawn)


def match(**drawn):
    extractor = FunctionTransformer(lambda images: MAPS[: len(images)])
    pipeline = make_pipeline(extractor, GlobalPooler(), NearestNeighborRanker()).fit(IMAGES)
    return MatchDisplay.from_estimator(pipeline, IMAGES[0], IMAGES[1], **drawn)


def windows(**drawn):
    return WindowScanDisplay.from_estimator(by_brightness(), IMAGES[0], "day", **drawn)


MAKERS = {
    "ClusterMapDisplay.from_estimator": clusters,
    "ConfidenceMapDisplay.from_estimator": confidence,
    "InvarianceDisplay.from_estimator": invariance,
    "MatchDisplay.from_estimator": match,
    "RankingDisplay.from_estimator": ranking,
    "RankingDisplay.from_predictions": known_ranking,
    "WindowScanDisplay.from_estimator": windows,
}


def from_methods():
    """Return every `from_...` of every display, by name."""
    displays = [getattr(skdeepenc.inspection, name) for name in skdeepenc.inspection.__all__]
    return {
        f"{display.__name__}.{name}": (display, method)
        for display in displays
        if inspect.isclass(display)
        for name, method in inspect.getmembers(display, inspect.ismethod)
        if name.startswith("from_")
    }


def artists(display):
    """Return how many images, patches and lines each of the axes of a display holds."""
    kinds = ("images", "patches", "lines")
    return [[len(getattr(axes, kind)) for kind in kinds] for axes in display.figure_.axes]


@pytest.mark.parametrize("name", from_methods())
def test_making_a_display_draws_it_once(name):
    display = MAKERS[name]()
    assert [pyplot.figure(number) for number in pyplot.get_fignums()] == [display.figure_]
    drawn = artists(display)
    first = display.figure_
    assert display.plot() is display
    assert display.figure_ is not first
    assert artists(display) == drawn


@pytest.mark.parametrize("name", from_methods())
def test_displays_are_drawn_where_they_are_told(name):
    figure = Figure()
    _, make = from_methods()[name]
    one_axes = "ax" in inspect.signature(make).parameters
    where = {"ax": figure.subplots()} if one_axes else {"figure": figure}
    assert MAKERS[name](**where).figure_ is figure
    assert not pyplot.get_fignums()


def test_how_to_draw_is_passed_on():
    display = confidence(cmap="coolwarm", alpha=0.25, colorbar=False)
    assert display.im_.get_cmap().name == "coolwarm"
    assert display.im_.get_alpha() == 0.25
    assert display.figure_.axes == [display.ax_]


def test_the_image_is_clear_where_nothing_is_to_be_said():
    colors = confidence(cmap="coolwarm").im_.get_cmap()
    assert colors(0.5)[3] < 0.1
    assert colors(0.0)[3] == colors(1.0)[3] == 1


@pytest.mark.parametrize("make", [clusters, confidence, match])
def test_scales_of_colors_are_as_high_as_their_images_and_say_what_they_measure(make):
    display = make()
    display.figure_.canvas.draw()
    images = [image for axes in display.figure_.axes for image in axes.images]
    colored = next(image for image in images if image.colorbar)
    beside = colored.colorbar.ax
    assert beside.get_ylabel()
    heights = [axes.get_window_extent().height for axes in (beside, colored.axes)]
    assert heights[0] == pytest.approx(heights[1])


def written(figure):
    """Return the boxes, in pixels, of all texts that show."""
    figure.canvas.draw()
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
    return [text.get_window_extent() for text in texts]


@pytest.mark.parametrize("name", from_methods())
def test_no_text_lies_on_another_or_outside_of_the_figure(name):
    figure = MAKERS[name]().figure_
    boxes = written(figure)
    assert boxes
    for place, box in enumerate(boxes):
        assert figure.bbox.containsx(box.x0)
        assert figure.bbox.containsx(box.x1)
        assert not any(box.overlaps(other) for other in boxes[place + 1 :])


def test_drawing_again_computes_nothing(monkeypatch):
    display = confidence()
    monkeypatch.delattr(MultiScaleFisherEncoder, "confidence_maps")
    first = display.im_
    assert_array_equal(display.plot().im_.get_array(), first.get_array())


@pytest.mark.parametrize("name", from_methods())
def test_every_option_of_plot_is_one_of_the_maker(name):
    display, make = from_methods()[name]
    options = list(inspect.signature(display.plot).parameters.values())[1:]
    taken = inspect.signature(make).parameters
    assert [taken[option.name] for option in options] == options


@pytest.mark.parametrize("name", from_methods())
def test_without_matplotlib_nothing_is_computed(name, monkeypatch):
    """None is not data: whatever computed on it would fail in another way."""
    _, make = from_methods()[name]
    needed = {
        parameter.name: None
        for parameter in inspect.signature(make).parameters.values()
        if parameter.default is parameter.empty
    }
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingDependencyError, match=r"needs matplotlib.*\.\[plot\]"):
        make(**needed)
