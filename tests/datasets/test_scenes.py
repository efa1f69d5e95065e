import hashlib

import numpy as np
import pytest

from skdeepenc.datasets import make_scenes
from skdeepenc.datasets._objects import OBJECTS


def digest(images):
    return hashlib.sha256(np.stack(images).tobytes()).hexdigest()


def test_the_bunch_holds_images_classes_and_boxes():
    scenes = make_scenes(12, image_size=48, random_state=0)
    assert all(image.shape == (48, 48, 3) and image.dtype == np.uint8 for image in scenes.images)
    assert scenes.target.tolist() == [*range(10), 0, 1]
    assert scenes.target_names == sorted(OBJECTS)
    assert scenes.boxes.shape == (12, 4)


def test_the_same_seed_draws_the_same_images():
    first, target = make_scenes(4, image_size=32, random_state=7, return_X_y=True)
    again = make_scenes(4, image_size=32, random_state=7)
    assert digest(first) == digest(again.images)
    np.testing.assert_array_equal(target, again.target)


def test_another_seed_draws_other_images():
    first, second = (make_scenes(2, image_size=32, random_state=seed).images for seed in (0, 1))
    assert digest(first) != digest(second)


def test_more_samples_begin_with_the_same_images():
    few, many = (make_scenes(n, image_size=32, random_state=0).images for n in (3, 5))
    assert digest(few) == digest(many[:3])


def test_images_of_one_class_differ():
    images = make_scenes(2, image_size=32, n_classes=1, random_state=0).images
    assert np.abs(images[0].astype(int) - images[1]).mean() > 10


def test_fewer_classes_are_the_first_by_name():
    scenes = make_scenes(5, image_size=32, n_classes=2, random_state=0)
    assert scenes.target_names == ["butterfly", "car"]
    assert scenes.target.tolist() == [0, 1, 0, 1, 0]


def test_the_middle_of_each_object_lies_in_its_image():
    boxes = make_scenes(60, image_size=32, random_state=0).boxes
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert ((middle > 0) & (middle < 32)).all()
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    assert sides.min() < 0.4 * 32
    assert sides.max() > 0.6 * 32


@pytest.mark.parametrize(
    "parameters", [{"n_samples": 0}, {"n_classes": 11}, {"image_size": 4}, {"image_size": 20.5}]
)
def test_parameters_out_of_range_are_refused(parameters):
    with pytest.raises(ValueError, match=next(iter(parameters))):
        make_scenes(**parameters)
