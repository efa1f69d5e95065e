"""What every encoder of feature maps should do, one claim a function.

scikit-learn's own suite feeds 2-D arrays; these checks feed what it does not know. Each takes an
unfitted estimator, works on clones of it, and raises an AssertionError that says what is wrong. A
new check is a function here whose name starts with ``check_``.
"""

import pickle
from contextlib import suppress
from functools import partial

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skdeepenc.exceptions import SkdeepencError
from skdeepenc.maps import FeatureMaps
from skdeepenc.testing.data import ragged_images, random_maps

# Float32, whatever the order of the sums.
_assert_close = partial(assert_allclose, rtol=1e-4, atol=1e-5)


def _labels(X):
    return np.arange(len(X)) % 2


def _fit(estimator, X):
    estimator = clone(estimator)
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=0)
    return estimator.fit(X, _labels(X))


def _encode(estimator, X):
    """Return the vectors of `X` as a dense array, after looking at their form."""
    vectors = estimator.transform(X)
    dense = vectors.toarray() if hasattr(vectors, "toarray") else np.asarray(vectors)
    assert dense.shape == (len(X), len(estimator.get_feature_names_out()))
    assert np.isfinite(dense).all(), "the vectors have NaN or infinity"
    return dense


def _assert_raises(errors, call, *words, said):
    try:
        call()
    except errors as error:
        message = str(error)
    else:
        raise AssertionError(said)
    missing = [word for word in words if word not in message]
    assert not missing, f"the message {message!r} should name {missing}"


def check_forms_agree(estimator):
    """A 4-D array, the same as lists, as objects and as FeatureMaps give the same vectors."""
    maps = random_maps()
    objects = np.empty(len(maps), dtype=object)
    objects[:] = list(maps)
    estimator = _fit(estimator, maps)
    expected = _encode(estimator, maps)
    for form in (list(maps), [[image] for image in maps], objects, FeatureMaps.from_arrays(maps)):
        assert_allclose(_encode(estimator, form), expected, err_msg=type(form).__name__)


def check_column_maps(estimator):
    """A 3-D array (n, positions, D) is read as maps of one column."""
    descriptors = random_maps(height=12, width=1)
    estimator = _fit(estimator, descriptors[:, :, 0])
    expected = _encode(estimator, descriptors)
    _assert_close(_encode(estimator, descriptors[:, :, 0]), expected)


def check_ragged_maps(estimator):
    """Images may differ in size and have several scales."""
    images = ragged_images(n_scales=3)
    estimator = _fit(estimator, images)
    assert estimator.n_features_in_ == 5
    expected = _encode(estimator, images)
    _assert_close(_encode(estimator, FeatureMaps.from_arrays(images)), expected)


def check_feature_maps_subsets(estimator):
    """A view of maps encodes as the images in it do."""
    maps = FeatureMaps.from_arrays(ragged_images())
    estimator = _fit(estimator, maps)
    order = [4, 0, 0, 2]
    _assert_close(_encode(estimator, maps[order]), _encode(estimator, maps)[order])


def check_float_types(estimator):
    """Float32 and float64 are kept, float16 becomes float32, and the values agree."""
    for given, kept in ((np.float16, np.float32), (np.float32, np.float32), (np.float64,) * 2):
        halves = random_maps(dtype=np.float16)  # exact in every type
        fitted = _fit(estimator, halves.astype(given))
        assert fitted.transform(halves.astype(given)).dtype == kept, f"{given} is not kept"
    single = _fit(estimator, halves.astype(np.float32))
    assert_array_equal(_encode(single, halves), _encode(single, halves.astype(np.float32)))


def check_images_without_descriptors(estimator):
    """They encode to zeros, and change no other image."""
    images = ragged_images()
    empty = [np.empty((0, 0, 5), np.float32)] * 2
    estimator = _fit(estimator, [*images, empty])
    vectors = _encode(estimator, [images[0], empty, images[1]])
    assert_array_equal(vectors[1], 0)
    _assert_close(vectors[[0, 2]], _encode(estimator, images[:2]))
    assert_array_equal(_encode(estimator, [empty]), 0)


def check_missing_scales(estimator):
    """An image may lack a scale that others have."""
    images = ragged_images(n_scales=3)
    images[1] = images[1][:2]
    images[2][0] = np.empty((0, 4, 5), np.float32)
    _encode(_fit(estimator, images), images)


def check_extreme_activations(estimator):
    """Activations of any size encode to finite vectors, or are an error of ours."""
    maps = random_maps()
    estimator = _fit(estimator, maps)
    for size in (1e-42, 1e-25, 1e25, 1e30):
        with suppress(SkdeepencError):
            _encode(estimator, maps * np.float32(size))


def check_constant_maps(estimator):
    """Images that are all the same are fitted and encoded without a warning or NaN."""
    constant = np.ones((6, 3, 4, 5), dtype=np.float32)
    vectors = _encode(_fit(estimator, constant), constant)
    _assert_close(vectors, vectors[:1].repeat(6, axis=0))


def check_zero_maps(estimator):
    """Descriptors without length are fitted and encoded without a warning or NaN."""
    maps = random_maps()
    _encode(_fit(estimator, maps), np.zeros_like(maps))
    _encode(_fit(estimator, np.zeros_like(maps)), maps)


def check_one_image(estimator):
    """One image is enough to fit."""
    maps = random_maps()
    _encode(_fit(estimator, maps[:1]), maps)


def check_few_descriptors(estimator):
    """Fewer descriptors than words or components are enough to fit."""
    for n_images, n_positions in ((1, 1), (2, 1), (3, 2)):
        maps = random_maps(n_images, n_positions, 1)
        _encode(_fit(estimator, maps), maps)


def check_batch_independence(estimator):
    """Images encode alone as they do together."""
    maps = FeatureMaps.from_arrays(ragged_images())
    estimator = _fit(estimator, maps)
    together = _encode(estimator, maps)
    for image in range(len(maps)):
        alone = _encode(estimator, maps[[image]])
        _assert_close(alone[0], together[image], err_msg=f"image {image}")


def check_working_memory(estimator):
    """Smaller batches give the same model and the same vectors."""
    maps = FeatureMaps.from_arrays(ragged_images())
    expected = _encode(_fit(estimator, maps), maps)
    with config_context(working_memory=1e-6):
        _assert_close(_encode(_fit(estimator, maps), maps), expected)


def check_n_jobs(estimator):
    """Threads change nothing but the time."""
    if "n_jobs" not in estimator.get_params():
        return
    maps = ragged_images()
    expected = _encode(_fit(estimator, maps), maps)
    with config_context(working_memory=1e-6):
        threaded = _fit(clone(estimator).set_params(n_jobs=2), maps)
        _assert_close(_encode(threaded, maps), expected)


def check_repeated_fits(estimator):
    """Equal seeds give equal models, and a second fit forgets the first."""
    maps, others = random_maps(), random_maps(random_state=1)
    expected = _encode(_fit(estimator, maps), maps)
    assert_array_equal(_encode(_fit(estimator, maps), maps), expected, err_msg="same seed")
    again = _fit(estimator, others).fit(maps, _labels(maps))
    assert_array_equal(_encode(again, maps), expected, err_msg="after another fit")


def check_transform_leaves_all_as_it_is(estimator):
    """Neither the input nor the model is changed by encoding."""
    maps = random_maps()
    kept = maps.copy()
    estimator = _fit(estimator, maps)
    model = pickle.dumps(estimator)
    _encode(estimator, maps)
    assert_array_equal(maps, kept)
    assert pickle.dumps(estimator) == model, "transform changed the estimator"


def check_pickles(estimator):
    """A fitted estimator survives pickling."""
    maps = random_maps()
    estimator = _fit(estimator, maps)
    copy = pickle.loads(pickle.dumps(estimator))
    assert_array_equal(_encode(copy, maps), _encode(estimator, maps))


def check_not_fitted(estimator):
    """Encoding before fitting raises NotFittedError."""
    _assert_raises(
        NotFittedError,
        lambda: clone(estimator).transform(random_maps()),
        said="transform before fit should raise NotFittedError",
    )


def check_feature_names(estimator):
    """Columns are named after the class, and become those of a data frame."""
    estimator = _fit(estimator, random_maps())
    names = estimator.get_feature_names_out()
    prefix = type(estimator).__name__.lower()
    assert list(names) == [f"{prefix}{number}" for number in range(len(names))]


def check_tables(estimator):
    """Vectors come as a table of pandas or polars where scikit-learn is told so, in `fit` too."""
    maps = FeatureMaps.from_arrays(ragged_images())
    expected = _encode(_fit(estimator, maps), maps)
    for library in ("pandas", "polars"):
        with suppress(ImportError), config_context(transform_output=library):
            fitted = _fit(estimator, maps)
            table = fitted.transform(maps)
            assert list(table.columns) == list(fitted.get_feature_names_out()), library
            _assert_close(table.to_numpy(), expected, err_msg=library)


def check_names_of_several_layers(estimator):
    """A pipeline may hand on the names of the channels of all layers, of which some are encoded."""
    layers = {"conv4": random_maps(n_channels=3), "conv5": random_maps(), "rgb": random_maps()}
    fitted = _fit(estimator, FeatureMaps.from_layers(layers))
    names = [f"channel {number}" for number in range(3 + 5 + 5)]
    assert_array_equal(fitted.get_feature_names_out(names), fitted.get_feature_names_out())


def check_non_finite_values(estimator):
    """NaN and infinity raise an error that names the image and the layer."""
    for value in (np.nan, np.inf):
        maps = random_maps()
        fitted = _fit(estimator, maps)
        maps[3, 1, 2, 0] = value
        for call in (fitted.transform, lambda X: _fit(estimator, X)):
            _assert_raises(
                ValueError,
                lambda call=call, maps=maps: call(maps),
                *("Image 3", "features"),
                said=f"maps with {value} should raise ValueError",
            )


def check_other_maps_than_fitted(estimator):
    """Another number of channels, other layers and fewer scales raise an error that names them."""
    images = ragged_images(n_scales=2)
    estimator = _fit(estimator, FeatureMaps.from_arrays(images, layer="conv5"))
    _assert_raises(
        ValueError,
        lambda: estimator.transform(
            FeatureMaps.from_arrays(ragged_images(n_channels=4), layer="conv5")
        ),
        *("4", "5"),
        said="another number of channels than fitted should raise ValueError",
    )
    _assert_raises(
        ValueError,
        lambda: estimator.transform(FeatureMaps.from_arrays(images, layer="conv3")),
        *("conv3", "conv5"),
        said="another layer than fitted should raise ValueError",
    )
    _assert_raises(
        ValueError,
        lambda: estimator.transform(
            FeatureMaps.from_arrays(ragged_images(n_scales=1), layer="conv5")
        ),
        *("1", "2"),
        said="fewer scales than fitted should raise ValueError",
    )


def check_no_images(estimator):
    """No image at all raises an error."""
    maps = FeatureMaps.from_arrays(random_maps())
    _assert_raises(
        ValueError,
        lambda: _fit(estimator, maps[[]]),
        said="fit on no image should raise ValueError",
    )


def check_descriptor_order(estimator):
    """The order of the positions of a map changes nothing.

    Only for estimators that are orderless by construction; a spatial pyramid is not.
    """
    maps = random_maps()
    estimator = _fit(estimator, maps)
    positions = maps.reshape(len(maps), -1, 5)
    shuffled = positions[:, np.random.RandomState(0).permutation(12)].reshape(maps.shape)
    _assert_close(_encode(estimator, shuffled), _encode(estimator, maps))
