"""Graphs that were exported for a fixed number of images run on any number."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from onnx import helper
from onnx.reference import ReferenceEvaluator

from skdeepenc.backbones import Backbone, ModelSpec
from skdeepenc.backbones.running.batching import run_in_parts, takes_any_number
from skdeepenc.exceptions import ModelError

node = helper.make_node


def last_layer(model, images):
    name = model.graph.output[0].name
    spec = ModelSpec("m", (name,), images.shape[2])
    return Backbone(model.SerializeToString(), spec=spec).run(images)[name]


def mixing_model(make_model, batch):
    """Attention between all pixels that come in: images mix as soon as there are several."""
    nodes = [
        node("Reshape", ["pixels", "rows"], ["all"]),
        node("Softmax", ["all"], ["shares"], axis=1),
        node("Reshape", ["shares", "maps"], ["map"]),
    ]
    weights = {"rows": np.array([3, -1]), "maps": np.array([-1, 3, 4, 4])}
    return make_model(nodes, weights, (batch, 3, 4, 4))


@pytest.mark.parametrize("batch", ["n", 1])
def test_images_that_would_mix_run_alone(batch, make_model, pixels):
    model, images = mixing_model(make_model, batch), pixels(3, 4, 4)
    alone = [ReferenceEvaluator(model).run(None, {"pixels": images[i : i + 1]}) for i in range(3)]
    expected = np.concatenate([output[0] for output in alone]).transpose(0, 2, 3, 1)
    assert_allclose(last_layer(model, images), expected, atol=1e-6)


@pytest.mark.parametrize("n_images", [1, 4, 6])
def test_a_batch_of_four_is_filled_up(n_images, make_model, pixels):
    """A table of one row for each of four images cannot be freed."""
    nodes = [node("Mul", ["pixels", "ones"], ["map"])]
    weights = {"ones": np.ones((4, 1, 1, 1), np.float32)}
    model, images = make_model(nodes, weights, (4, 3, 8, 8)), pixels(n_images, 8, 8)
    assert_array_equal(last_layer(model, images), images.transpose(0, 2, 3, 1))


def test_a_joined_token_of_one_image_runs_image_by_image(make_model, pixels):
    """Shape inference believes that what is joined fits; a run tells."""
    nodes = [
        node("Flatten", ["pixels"], ["flat"]),
        node("Reshape", ["flat", "shape"], ["tokens"]),
        node("Concat", ["cls", "tokens"], ["all"], axis=1),
        node("ReduceMax", ["all"], ["largest"], axes=[2], keepdims=0),
    ]
    weights = {"shape": np.array([1, 3, 16]), "cls": np.zeros((1, 1, 16), np.float32)}
    model = make_model(nodes, weights, (1, 3, 4, 4), output=("largest", 2))
    images = pixels(3, 4, 4)
    expected = np.pad(images.max(axis=(2, 3)), [(0, 0), (1, 0)])
    assert_allclose(last_layer(model, images)[:, 0, 0], expected)


def test_parts_are_filled_and_cut():
    seen = []

    def double(part):
        seen.append(len(part))
        return [2 * part]

    images = np.arange(5.0)[:, None]
    (output,) = run_in_parts(double, images, 2)
    assert_array_equal(output, 2 * images)
    assert seen == [2, 2, 2]


def test_outputs_have_one_row_an_image():
    with pytest.raises(ModelError, match="one row for each of 2 images"):
        run_in_parts(lambda part: [part[:1]], np.zeros((3, 1)), 2)


@pytest.mark.parametrize(
    ("run", "free"),
    [
        (lambda part: [part * 2], True),
        (lambda part: [part - part.mean()], False),
        (lambda part: [part[:1]], False),
    ],
)
def test_noise_tells_whether_images_mix(run, free):
    assert takes_any_number(run, 1, (3, 4)) is free


def test_a_failure_at_the_models_own_size_is_not_blamed_on_the_size(make_model, pixels):
    nodes = [node("Reshape", ["pixels", "wrong"], ["map"])]
    model = make_model(nodes, {"wrong": np.array([-1, 7, 5, 5])}, ("n", 3, 8, 8))
    with pytest.raises(ModelError, match="does not run: ") as raised:
        last_layer(model, pixels(1, 8, 8))
    assert "8 x 8" not in str(raised.value)
