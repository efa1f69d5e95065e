"""No finite activations become NaN: every encoder gives finite vectors, or one error of ours."""

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from skdeepenc.encoders import (
    BagOfVisualWords,
    ClusterMAC,
    CrossLayerPooler,
    GlobalPooler,
    MOPVLADEncoder,
    MultiScaleFisherEncoder,
)
from skdeepenc.exceptions import DegenerateDataError, NonFiniteError, SkdeepencError
from skdeepenc.maps import FeatureMaps
from skdeepenc.testing import random_maps

ENCODERS = {
    **{method: GlobalPooler(method=method) for method in ("avg", "gem", "spoc", "crow", "rmac")},
    "gem of a broken exponent": GlobalPooler(method="gem", p=2.5, normalize=False),
    "mop": MOPVLADEncoder(n_components=2, n_clusters=2, sigma="auto", random_state=0),
    "whitened mop": MOPVLADEncoder(
        n_components=2, n_clusters=2, n_output_components=3, whiten=True, random_state=0
    ),
    "fisher": MultiScaleFisherEncoder(n_components=2, n_gaussians=2, random_state=0),
    "cross-layer": CrossLayerPooler(random_state=0),
    "clusters": ClusterMAC(n_clusters=2, random_state=0),
    "projected regions": ClusterMAC(regions="rmac", n_output_components=2, random_state=0),
    "words": BagOfVisualWords(n_words=3, random_state=0),
}
EVERY_SIZE = [0, 1e-45, 1e-40, 1e-38, 1e-25, 6e-8, 1, 65504, 1e10, 1e18, 1e25, 1e30, 1e38, 3.4e38]


@st.composite
def extreme_maps(draw):
    """Maps whose images, channels and places are of any size that float32 holds, or float16."""
    sizes = st.sampled_from(EVERY_SIZE)
    scale = draw(
        st.sampled_from([(4, 1, 1, 1), (1, 1, 1, 3), (1, 2, 2, 1), (1, 1, 1, 1)]).flatmap(
            lambda shape: arrays(np.float64, shape, elements=sizes)
        )
    )
    signs = draw(st.sampled_from([1, -1]))
    pattern = draw(st.sampled_from(["random", "constant"]))
    maps = (
        random_maps(4, 2, 2, 3).astype(np.float64) if pattern == "random" else np.ones((4, 2, 2, 3))
    )
    dtype = draw(st.sampled_from([np.float32, np.float16]))
    largest = float(np.finfo(dtype).max)
    return np.clip(signs * maps * scale, -largest, largest).astype(dtype)


def _dense(vectors):
    return vectors.toarray() if hasattr(vectors, "toarray") else vectors


@pytest.mark.parametrize("name", ENCODERS)
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(maps=extreme_maps(), fits=st.booleans())
def test_vectors_are_finite_or_one_error_says_why(name, maps, fits):
    encoder = clone(ENCODERS[name])
    try:
        vectors = _dense(encoder.fit(maps if fits else random_maps(4, 2, 2, 3)).transform(maps))
    except SkdeepencError:
        return
    assert np.isfinite(vectors).all()
    alone = _dense(encoder.transform(maps[2:3]))
    assert_allclose(alone, vectors[2:3], rtol=1e-3, atol=1e-4 * max(1, np.abs(vectors).max()))


LEARNERS = ("mop", "whitened mop", "fisher", "cross-layer", "clusters", "words")


@pytest.mark.parametrize("name", LEARNERS)
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    share_of_exponent=st.floats(0, 0.999),
    dtype=st.sampled_from([np.float32, np.float64]),
    n_images=st.integers(4, 9),
)
def test_what_fit_refuses_transform_refuses_too(name, share_of_exponent, dtype, n_images):
    maps = random_maps(n_images, 2, 2, 3, dtype=dtype)
    encoder = clone(ENCODERS[name]).fit(maps)
    maps[2] *= dtype(float(np.finfo(dtype).max) ** share_of_exponent) / np.abs(maps[2]).max()

    def problem(method, X):
        try:
            method(X)
        except NonFiniteError as error:
            return str(error)
        except DegenerateDataError:  # one image that outshines all others is a poor sample
            return None

    refused = problem(clone(encoder).fit, maps)
    assert problem(encoder.transform, maps) == refused
    assert problem(encoder.transform, maps[2:3]) == (refused and refused.replace("2", "0", 1))


@pytest.mark.parametrize("name", LEARNERS)
def test_maps_in_files_are_held_to_the_same_bounds(name, tmp_path):
    maps = random_maps()
    encoder = clone(ENCODERS[name]).fit(maps)
    maps[3] *= np.float32(1e35)
    FeatureMaps.from_arrays(maps).save(tmp_path / "maps")
    in_files = FeatureMaps.load(tmp_path / "maps")
    with pytest.raises(NonFiniteError, match="Image 3 reaches"):
        encoder.transform(in_files)


@pytest.mark.parametrize("name", ENCODERS)
def test_an_image_without_descriptors_is_zeros_alone_and_among_others(name):
    images = [*random_maps(4, 2, 2, 3), np.empty((0, 0, 3), np.float32)]
    encoder = clone(ENCODERS[name]).fit(images)
    together = _dense(encoder.transform(images))
    assert_array_equal(together[4], 0)
    assert_array_equal(_dense(encoder.transform(images[4:])), together[4:])


def test_the_error_names_the_image():
    maps = random_maps()
    encoder = MultiScaleFisherEncoder(n_components=2, n_gaussians=2, random_state=0).fit(maps)
    maps[3:] *= np.float32(1e30)
    with pytest.raises(NonFiniteError, match="Image 3"):
        encoder.transform(maps)


def test_the_error_names_the_image_whose_vector_overflows():
    maps = random_maps()
    maps[3:] = 3.4e38
    with pytest.raises(NonFiniteError, match="encodes image 3"):
        GlobalPooler(method="crow").fit(maps).transform(maps)


@settings(max_examples=15, deadline=None)
@given(exponent=st.integers(-125, 40))
@example(exponent=-66)  # squares are there, but not the inverses of variances
@example(exponent=-100)  # not even the squares
def test_fisher_vectors_do_not_depend_on_the_unit_of_activations(exponent):
    maps = random_maps(4, 2, 2, 3)
    encoder = clone(ENCODERS["fisher"])
    expected = encoder.fit_transform(maps)
    scaled = np.ldexp(maps, exponent)
    assert_allclose(encoder.fit(scaled).transform(scaled), expected, atol=2e-3)
    assert_array_equal(scaled, np.ldexp(maps, exponent))  # what was given is as it was


def test_an_encoder_of_tiny_activations_says_which_image_is_too_large_for_it():
    maps = random_maps()
    encoder = clone(ENCODERS["fisher"]).fit(maps * np.float32(1e-30))
    with pytest.raises(NonFiniteError, match="encodes image 0"):
        encoder.transform(maps)
