"""RankingDisplay: what it frames, what it accepts, what it refuses."""

import numpy as np
import pytest
from PIL import Image
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeepenc.inspection import RankingDisplay
from skdeepenc.inspection._drawing import RIGHT, WRONG
from skdeepenc.retrieval import NearestNeighborRanker

to_rgba = pytest.importorskip("matplotlib.colors").to_rgba
Figure = pytest.importorskip("matplotlib.figure").Figure


@pytest.fixture
def images():
    shades = np.linspace(0, 255, 6).astype(np.uint8)
    return [np.full((40, 30, 3), shade) for shade in shades]


@pytest.fixture
def vectors():
    return np.array([[1.0, 0.0], [0.9, 0.1], [0.7, 0.7], [0.6, 0.8], [0.0, 1.0], [0.1, 0.9]])


def framed(axes, frame=RIGHT):
    visible = [spine.get_visible() for spine in axes.spines.values()]
    colors = {to_rgba(spine.get_edgecolor()) for spine in axes.spines.values()}
    return all(visible) and colors == {to_rgba(frame["color"])}


def test_frames_the_right_results_and_only_them(images):
    display = RankingDisplay.from_predictions(
        [[1, 2, 0], [5, 4, 3]],
        query_images=images[:2],
        gallery_images=images,
        positives=[[2], [5, 3]],
        query_names=["first", "second"],
    )
    assert display.correct.tolist() == [[False, True, False], [True, False, True]]
    drawn = [[framed(axes) for axes in row] for row in display.axes_]
    assert drawn == [[False, False, True, False], [False, True, False, True]]
    wrong = [[framed(axes, WRONG) for axes in row[1:]] for row in display.axes_]
    assert wrong == (~display.correct).tolist()
    assert "dashed frame: wrong" in display.figure_.get_supxlabel()
    assert [row[0].get_title() for row in display.axes_] == ["first", "second"]
    assert display.axes_[0, 1].images[0].get_array()[0, 0, 0] == images[1][0, 0, 0]


@pytest.mark.parametrize(
    "wrap", [lambda ranker: ranker, lambda r: make_pipeline(StandardScaler(), r)]
)
def test_from_estimator_takes_rankers_and_pipelines(images, vectors, wrap):
    labels = np.array(["a", "a", "b", "b", "c", "c"])
    estimator = wrap(NearestNeighborRanker(metric="euclidean")).fit(vectors, labels)
    display = RankingDisplay.from_estimator(
        estimator,
        vectors[[0, 4]],
        labels[[0, 4]],
        query_images=[images[0], images[4]],
        gallery_images=images,
        n_results=3,
    )
    assert display.correct.tolist() == [[True, True, False]] * 2
    similarities = estimator.transform(vectors[[0, 4]])
    np.testing.assert_allclose(display.similarities, -np.sort(-similarities)[:, :3])
    assert display.axes_[0, 1].get_title() == f"1: {similarities[0].max():.2f}"
    unframed = RankingDisplay.from_estimator(
        estimator, vectors[:1], query_images=images[:1], gallery_images=images
    )
    assert not any(framed(axes) for axes in unframed.axes_[0])


@pytest.mark.parametrize(("similarity", "written"), [(0.125, "0.12"), (119.66, "120")])
def test_similarities_are_written_with_few_digits(images, similarity, written):
    display = RankingDisplay.from_predictions(
        [[0]], query_images=images[:1], gallery_images=images, similarities=[[similarity]]
    )
    assert display.axes_[0, 1].get_title() == f"1: {written}"


def test_keeps_small_copies_of_files_and_draws_again(images, tmp_path):
    path = tmp_path / "image.png"
    Image.fromarray(images[3]).resize((400, 200)).save(path)
    display = RankingDisplay.from_predictions(
        [[0]], query_images=[path], gallery_images=[path], image_size=64
    )
    path.unlink()
    assert display.query_images[0].shape == (32, 64, 3)
    first = display.figure_
    own = Figure().subfigures(1, 2)[0]
    assert display.plot(figure=own).figure_ is own is not first


def test_refuses_what_does_not_fit(images, vectors):
    with pytest.raises(ValueError, match="query_images has 2 entries for 1 queries"):
        RankingDisplay.from_predictions([[0]], query_images=images[:2], gallery_images=images)
    with pytest.raises(ValueError, match="fitted without y"):
        RankingDisplay.from_estimator(
            NearestNeighborRanker().fit(vectors),
            vectors[:1],
            ["a"],
            query_images=images[:1],
            gallery_images=images,
        )
