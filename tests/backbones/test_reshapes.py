"""Reshapes follow the batch; channel shuffles become selections."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from onnx import helper
from onnx.reference import ReferenceEvaluator

from skdeepenc.backbones import Backbone, ModelSpec
from skdeepenc.backbones.graphs.skeleton import without_weights
from skdeepenc.backbones.surgery.reshapes import free_reshapes


@pytest.fixture
def shuffle(make_model):
    node = helper.make_node
    nodes = [
        node("Concat", ["pixels", "pixels"], ["six"], axis=1),
        node("Reshape", ["six", "split"], ["groups"]),
        node("Transpose", ["groups"], ["swapped"], perm=[0, 2, 1, 3, 4]),
        node("Reshape", ["swapped", "whole"], ["shuffled"]),
    ]
    weights = {"split": np.array([1, 2, 3, 8, 8]), "whole": np.array([1, 6, 8, 8])}
    return make_model(nodes, weights, input_shape=(1, 3, 8, 8))


def test_a_channel_shuffle_becomes_a_selection(shuffle, pixels):
    freed = free_reshapes(without_weights(shuffle), 8)
    assert [n.op_type for n in freed.graph.node if "shuffled" in n.output] == ["Gather"]
    backbone = Backbone(shuffle.SerializeToString(), spec=ModelSpec("s", ("shuffled",), 8))
    images = pixels(2, 8, 8)
    expected = [ReferenceEvaluator(shuffle).run(None, {"pixels": image[None]}) for image in images]
    expected = np.concatenate([output[0] for output in expected]).transpose(0, 2, 3, 1)
    assert_array_equal(backbone.run(images)["shuffled"], expected)
    assert backbone.run(pixels(2, 12, 9))["shuffled"].shape == (2, 12, 9, 6)


def test_a_batch_written_elsewhere_runs_image_by_image(make_model, pixels):
    """An expansion to a batch of one cannot be freed; several images are run in turn."""
    node = helper.make_node
    nodes = [
        node("Relu", ["pixels"], ["on"]),
        node("Slice", ["on", "zero", "one", "zero"], ["first"]),
    ]
    weights = {"zero": np.array([0]), "one": np.array([1])}
    model = make_model(nodes, weights, input_shape=(1, 3, 4, 4)).SerializeToString()
    backbone = Backbone(model, spec=ModelSpec("s", ("first",), 4))
    images = pixels(3, 4, 4)
    expected = np.maximum(images, 0).transpose(0, 2, 3, 1)
    assert_array_equal(backbone.run(images)["first"], expected)
