"""The numbers of other libraries, as "Coming from" promises them.

Their formulas are written again here, in our words and in numpy, from what their code computes;
VLFeat and pyvisim themselves are asked, too, where they are installed. The VLAD of AnyLoc is in
`tests/encoders/test_mop_vlad.py`.
"""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from benchmarks.speed import vlfeat
from skdeepenc import GlobalPooler, MOPVLADEncoder, NearestNeighborRanker, SupervisedWhitening
from skdeepenc.functional import (
    fisher_vector,
    l2_normalize,
    mac,
    power_normalize,
    rmac_regions,
    soft_assign,
    vlad,
)
from skdeepenc.functional.regions import literal_regions, region_maxima
from skdeepenc.metrics import mean_average_precision

CIRTORCH_EPS = 1e-6


def unit(x):
    """Scale rows as cirtorch does, which adds a little to lengths instead of minding zeros."""
    return x / (np.linalg.norm(x, axis=-1, keepdims=True) + CIRTORCH_EPS)


def cirtorch_gem(feature_map, p=3):
    """Raise activations of at least 1e-6, average them and take the root."""
    return np.mean(np.maximum(feature_map, CIRTORCH_EPS) ** p, axis=(0, 1)) ** (1 / p)


def cirtorch_rmac(feature_map):
    """Add up the maxima of the whole map and of the grid's squares, each at unit length."""
    boxes = [
        (0, 0, *feature_map.shape[:2]),
        *literal_regions(*feature_map.shape[:2], 3).tolist(),
    ]
    return sum(unit(feature_map[a:c, b:d].max(axis=(0, 1))) for a, b, c, d in boxes)


@pytest.fixture(scope="module", params=[(7, 7), (12, 16), (9, 30)], ids="{0[0]} x {0[1]}".format)
def rectified_maps(request):
    return np.maximum(np.random.default_rng(0).normal(size=(3, *request.param, 16)), 0)


@pytest.mark.parametrize(
    ("method", "pool"),
    [
        ("max", lambda x: x.max(axis=(0, 1))),
        ("avg", lambda x: x.mean(axis=(0, 1))),  # their SPoC has no centre prior
        ("gem", cirtorch_gem),
    ],
)
def test_poolings_are_those_of_cirtorch(rectified_maps, method, pool):
    theirs = unit(np.array([pool(feature_map) for feature_map in rectified_maps]))
    assert_allclose(GlobalPooler(method=method).fit_transform(rectified_maps), theirs, atol=1e-5)


def test_rmac_is_that_of_cirtorch_once_the_whole_map_is_added(rectified_maps):
    for feature_map in rectified_maps:
        regions = rmac_regions(*feature_map.shape[:2])
        maxima = [*region_maxima(feature_map, regions), mac(feature_map)]
        assert_allclose(
            l2_normalize(l2_normalize(maxima).sum(axis=0)),
            unit(cirtorch_rmac(feature_map)),
            atol=1e-5,
        )


def test_several_sizes_are_averaged_as_cirtorch_does():
    rng = np.random.default_rng(0)
    images = [[rng.random((n, n, 8)) for n in (4, 6, 8)] for _ in range(3)]
    theirs = unit(np.array([np.mean([unit(cirtorch_gem(s)) for s in x], axis=0) for x in images]))
    ours = GlobalPooler(method="gem", across_scales="mean").fit_transform(images)
    assert_allclose(ours, theirs, atol=1e-5)


def cirtorch_whitening(vectors, queries, positives):
    """Whiten differences of matching pairs, then rotate by the scatter of all that is whitened."""
    mean = vectors[queries].mean(axis=0)
    differences = vectors[queries] - vectors[positives]
    whitener = np.linalg.inv(np.linalg.cholesky(differences.T @ differences / len(differences)))
    white = (vectors - mean) @ whitener.T
    _, axes = np.linalg.eigh(white.T @ white)
    return unit((vectors - mean) @ whitener.T @ axes[:, ::-1])


def test_whitening_of_classes_of_one_size_is_that_of_cirtorch_over_all_their_pairs():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 6)
    vectors = 2 * rng.normal(size=(10, 5))[labels] + rng.normal(size=(60, 5))
    same = labels[:, None] == labels
    np.fill_diagonal(same, False)
    theirs = cirtorch_whitening(vectors, *np.nonzero(same))
    ours = l2_normalize(SupervisedWhitening(shrinkage=0).fit(vectors, labels).transform(vectors))
    assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-5)
    assert_allclose(ours @ ours.T, theirs @ theirs.T, atol=1e-5)


def cirtorch_average_precision(ranked, positives, junk):
    """Add trapezoids at the places of right answers, counted without the junk before them."""
    places = [place for place, image in enumerate(ranked) if image in positives]
    places = [place - sum(image in junk for image in ranked[:place]) for place in places]
    steps = [((j / p if p else 1) + (j + 1) / (p + 1)) / 2 for j, p in enumerate(places)]
    return sum(steps) / len(positives)


def test_mean_average_precision_is_that_of_cirtorch():
    rng = np.random.default_rng(0)
    rankings = np.array([rng.permutation(30) for _ in range(8)])
    positives = [rng.choice(30, 5, replace=False).tolist() for _ in range(8)]
    junk = [[image for image in range(0, 30, 4) if image not in own] for own in positives]
    theirs = np.mean(list(map(cirtorch_average_precision, rankings.tolist(), positives, junk)))
    assert_allclose(mean_average_precision(rankings, positives, junk), theirs)


def test_search_is_that_of_sentence_transformers():
    rng = np.random.default_rng(0)
    queries, corpus = rng.normal(size=(5, 8)), rng.normal(size=(40, 8))
    scores = unit(queries) @ unit(corpus).T
    best = np.argsort(-scores, axis=1)[:, :10]
    distances, found = NearestNeighborRanker().fit(corpus).kneighbors(queries, 10)
    assert_array_equal(found, best)
    assert_allclose(1 - distances, np.take_along_axis(scores, best, axis=1), atol=1e-5)


@pytest.fixture(scope="module")
def local_features():
    """Descriptors of four images, k-means and a mixture of them."""
    rng = np.random.default_rng(0)
    images = [rng.normal(size=(n, 8)).astype(np.float32) for n in (30, 50, 40, 20)]
    every = np.concatenate(images)
    words = KMeans(5, n_init=1, random_state=0).fit(every)
    mixture = GaussianMixture(4, covariance_type="diag", random_state=0).fit(every)
    return images, words, mixture


def hard_vlad(image, centers):
    return vlad(image, centers, *soft_assign(image, centers, n_neighbors=1))


# The flags of vl_vlad_encode, and what they stand for.
VLAD_OPTIONS = {
    "by default": (0, lambda v: l2_normalize(v.ravel())),
    "NormalizeComponents": (1, lambda v: l2_normalize(l2_normalize(v).ravel())),
    "SquareRoot": (2, lambda v: l2_normalize(power_normalize(v).ravel())),
    "both": (3, lambda v: l2_normalize(l2_normalize(power_normalize(v)).ravel())),
    "Unnormalized": (4, np.ravel),
}


@pytest.mark.skipif(vlfeat.library() is None, reason="VLFeat is not installed")
@pytest.mark.parametrize("option", VLAD_OPTIONS)
def test_vlad_is_that_of_vlfeat(local_features, option):
    images, words, _ = local_features
    flags, expected = VLAD_OPTIONS[option]
    centers = words.cluster_centers_.astype(np.float32)
    encode = vlfeat.vlad_encoder(vlfeat.library(), centers, flags)
    for image in images:
        assignment = np.zeros((len(image), len(centers)), np.float32)
        assignment[np.arange(len(image)), soft_assign(image, centers, 1)[0][:, 0]] = 1
        theirs = encode(image, assignment)
        assert_allclose(expected(hard_vlad(image, centers)), theirs, atol=1e-5)


@pytest.mark.skipif(vlfeat.library() is None, reason="VLFeat is not installed")
@pytest.mark.parametrize("improved", [False, True])
def test_fisher_vectors_are_those_of_vlfeat(local_features, improved):
    images, _, gmm = local_features
    mixture = gmm.means_, gmm.covariances_, gmm.weights_
    encode = vlfeat.fisher_encoder(vlfeat.library(), mixture, vlfeat.IMPROVED if improved else 0)
    for image in images:
        ours = fisher_vector(image, *mixture)
        ours = l2_normalize(power_normalize(ours)) if improved else ours
        assert_allclose(ours, encode(image), atol=1e-4)


# What pyvisim's VLAD is, with words of k-means.
PYVISIM = {
    "n_components": None,
    "n_output_components": None,
    "n_neighbors": 1,
    "power": 1.0,
    "intra_normalize": True,
    "random_state": 0,
}


def pyvisim_vlad(image, centers):
    """Add differences from the nearest word; bring blocks, then the whole, to unit length."""
    nearest = ((image[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)
    blocks = [(image[nearest == k] - center).sum(axis=0) for k, center in enumerate(centers)]
    return l2_normalize(l2_normalize(blocks).ravel())


def pyvisim_fisher(image, gmm):
    """Put the gradients by weights, by means and by minus the deviations side by side."""
    posteriors, weights = gmm.predict_proba(image), np.sqrt(gmm.weights_)
    by_weight = (posteriors.mean(axis=0) - gmm.weights_) / weights
    standard = (image[:, None] - gmm.means_) / np.sqrt(gmm.covariances_)
    by_mean = np.einsum("nk,nkd->kd", posteriors, standard) / len(image) / weights[:, None]
    by_deviation = np.einsum("nk,nkd->kd", posteriors, 1 - standard**2) / len(image)
    by_deviation /= np.sqrt(2) * weights[:, None]
    return l2_normalize(
        power_normalize(np.concatenate([by_weight, by_mean.ravel(), by_deviation.ravel()]))
    )


def fitted_with(words, images):
    """Return an encoder with words that were learned elsewhere."""
    encoder = MOPVLADEncoder(n_clusters=len(words), **PYVISIM).fit(images)
    encoder.levels_ = [replace(encoder.levels_[0], codebook=words.astype(np.float32))]
    return encoder


def without_weights(theirs, n_gaussians):
    """Leave out the gradient by weights, which ours do not have, and turn the deviations' sign."""
    rest = theirs[n_gaussians:].copy()
    rest[len(rest) // 2 :] *= -1
    return l2_normalize(rest)


def test_vlad_and_fisher_vectors_are_those_of_pyvisim(local_features):
    images, words, gmm = local_features
    vectors = fitted_with(words.cluster_centers_, images).transform(images)
    for image, vector in zip(images, vectors, strict=True):
        assert_allclose(vector, pyvisim_vlad(image, words.cluster_centers_), atol=1e-5)
        ours = fisher_vector(image, gmm.means_, gmm.covariances_, gmm.weights_)
        theirs = without_weights(pyvisim_fisher(image, gmm), 4)
        assert_allclose(l2_normalize(power_normalize(ours)), theirs, atol=1e-4)


def test_pyvisim_itself_says_the_same(local_features):
    classic = pytest.importorskip("pyvisim.classic")
    features = pytest.importorskip("pyvisim.features")
    images, words, gmm = local_features
    pictures = [np.full((8, 8, 3), number, np.uint8) for number in range(4)]
    look_up = features.Lambda(lambda picture: images[int(picture[0, 0, 0])], 8)

    embedder = classic.VLADEmbedder(look_up, n_clusters=5)
    embedder.load_clustering_model_from_sklearn(words)
    ours = fitted_with(words.cluster_centers_, images).transform(images)
    assert_allclose(ours, embedder.embed(pictures), atol=1e-5)

    embedder = classic.FisherVectorEmbedder(look_up, n_components=4)
    embedder.load_clustering_model_from_sklearn(gmm)
    for image, theirs in zip(images, embedder.embed(pictures), strict=True):
        assert_allclose(pyvisim_fisher(image, gmm), theirs, atol=1e-4)
