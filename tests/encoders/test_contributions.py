"""The shares of positions add up to the product of an image's vector with a direction."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skdeepenc.encoders import (
    ClusterMAC,
    CrossLayerPooler,
    GlobalPooler,
    MOPVLADEncoder,
    MultiScaleFisherEncoder,
)
from skdeepenc.exceptions import FeatureMapsError
from skdeepenc.functional.contributions import literal_split
from skdeepenc.maps import FeatureMaps

VLAD = {"n_components": 4, "n_clusters": 3, "random_state": 0}
ENCODERS = {
    "average": GlobalPooler(layer="b"),
    "average of scales": GlobalPooler(layer="b", across_scales="mean"),
    "plain average": GlobalPooler(layer="b", normalize=False),
    "generalized mean": GlobalPooler(layer="b", method="gem"),
    "maximum": GlobalPooler(layer="b", method="max"),
    "regional maxima": GlobalPooler(layer="b", method="rmac", n_levels=2),
    "class token": GlobalPooler(layer="b", method=["cls", "avg"]),
    "vlad": MOPVLADEncoder(layer="b", n_output_components=None, **VLAD),
    "reduced vlad": MOPVLADEncoder(layer="b", n_output_components=5, whiten=3, **VLAD),
    "union": MOPVLADEncoder(layer="b", across_scales="union", n_output_components=None, **VLAD),
    "anyloc": MOPVLADEncoder(
        layer="b",
        n_components=None,
        n_clusters=3,
        n_neighbors=1,
        power=1,
        n_output_components=None,
        normalize_descriptors=True,
        intra_normalize=True,
        random_state=0,
    ),
    "maximum of levels": MOPVLADEncoder(layer="b", pooling="max"),
    "cross-layer": CrossLayerPooler(feature_layer="a", guidance_layer="b"),
    "signs": CrossLayerPooler(feature_layer="a", guidance_layer="b", quantize="sign"),
    "cells": CrossLayerPooler(
        feature_layer="a", guidance_layer="b", spatial_pyramid=[(1, 1), (2, 2)], power=1
    ),
    "clusters": ClusterMAC(layer="b", n_clusters=(2, 3), n_color_clusters=2, random_state=0),
    "squares": ClusterMAC(layer="b", regions="rmac", n_output_components=4),
    "whole map": ClusterMAC(layer="b", regions="mac", whiten=False),
}


@pytest.fixture(scope="module")
def maps():
    rng = np.random.default_rng(0)

    def layer(n_channels, *sides):
        return [[rng.random((*side, n_channels)) for side in sides] for _ in range(9)]

    sides = (4, 5), (6, 7)
    return FeatureMaps.from_layers(
        {
            "a": layer(6, *sides),
            "b": layer(8, *sides),
            "b[cls]": layer(8, (1, 1), (1, 1)),
            "rgb": layer(3, *sides),
        }
    )


@pytest.mark.parametrize("name", ENCODERS)
def test_the_shares_of_positions_add_up(maps, name):
    encoder = ENCODERS[name].fit(maps)
    vectors = encoder.transform(maps[:3])
    directions = np.random.default_rng(1).normal(size=vectors.shape)
    shares = encoder.contributions(maps[:3], directions)
    assert [share.shape for share in shares[0]][-2:] == [(4, 5), (6, 7)]
    products = [sum(share.sum() for share in image) for image in shares]
    assert_allclose(products, np.einsum("id,id->i", vectors, directions), rtol=1e-9)


def test_each_share_is_that_of_the_position(maps):
    """The gain of each component, taken literally, times what the position adds to it."""
    encoder = CrossLayerPooler(feature_layer="a", guidance_layer="b").fit(maps)
    image = maps[2]
    features = encoder.projection_.transform(image["a"][0].reshape(20, 6))
    guidance = image["b"][0].reshape(20, 8)
    scale = maps[[2]].select(scales=[0])
    encoder.n_scales_in_ = 1
    vector = encoder.transform(scale)[0]
    direction = np.random.default_rng(1).normal(size=len(vector))
    addends = [np.outer(a, x).ravel() for a, x in zip(guidance, features, strict=True)]
    ((shares,),) = encoder.contributions(scale, [direction])
    assert_allclose(shares.ravel(), literal_split(addends, vector, direction), rtol=1e-9)
    encoder.n_scales_in_ = 2


def test_a_mean_gives_a_position_its_part():
    maps = np.array([[[[3.0, 0.0], [0.0, 1.0]]]])
    encoder = GlobalPooler(normalize=False).fit(maps)
    ((shares,),) = encoder.contributions(maps, [[1.0, 2.0]])
    assert_allclose(shares, [[1.5, 1.0]])


@pytest.mark.parametrize(
    "encoder",
    [GlobalPooler(method="crow"), CrossLayerPooler(pooling="max")],
    ids=["crow", "maxima"],
)
def test_what_is_no_sum_is_not_split(encoder):
    maps = np.random.default_rng(0).random((4, 3, 3, 4))
    vectors = encoder.fit(maps).transform(maps)
    with pytest.raises(FeatureMapsError, match="split over positions"):
        encoder.contributions(maps, vectors)


def test_encoders_that_are_no_sums_have_no_shares():
    assert not hasattr(MultiScaleFisherEncoder(), "contributions")


def test_directions_are_one_per_image():
    maps = np.random.default_rng(0).random((4, 3, 3, 4))
    with pytest.raises(FeatureMapsError, match="give one per image"):
        GlobalPooler().fit(maps).contributions(maps, np.ones((3, 4)))


def test_an_image_without_positions_has_no_shares():
    maps = [np.ones((2, 2, 3)), np.empty((0, 0, 3))]
    for encoder in (GlobalPooler(), MOPVLADEncoder(n_clusters=1, n_output_components=None)):
        encoder.fit([maps[0]] * 3)
        vectors = encoder.transform(maps)
        assert encoder.contributions(maps, np.ones_like(vectors))[1][0].size == 0
