"""MOP-CNN equals its paper, written out image by image; every switch does its part."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeepenc.encoders import MOPVLADEncoder
from skdeepenc.exceptions import FeatureMapsError
from skdeepenc.functional.mop_vlad import PooledLevel, VLADLevel
from skdeepenc.functional.vlad import literal_vlad
from skdeepenc.maps import FeatureMaps
from skdeepenc.testing import parametrize_with_maps_checks

SMALL = {"n_components": 4, "n_clusters": 3, "n_neighbors": 2, "sigma": 1.0, "random_state": 0}
VARIANTS = [
    MOPVLADEncoder(n_components=3, n_clusters=2, sigma=0.5),
    MOPVLADEncoder(n_clusters=2, across_scales="union", whiten=True),
    MOPVLADEncoder(n_neighbors=1, power=1, scales=[0], n_output_components=3),
    MOPVLADEncoder(pooling="avg", whiten=2),
    MOPVLADEncoder(pooling="max", across_scales="union"),
    MOPVLADEncoder(
        n_components=None,
        n_clusters=3,
        sigma="auto",
        n_output_components=None,
        normalize_descriptors=True,
        intra_normalize=True,
    ),
]
ANYLOC = {
    "n_components": None,
    "n_neighbors": 1,
    "power": 1,
    "n_output_components": None,
    "normalize_descriptors": True,
    "intra_normalize": True,
}


def three_levels(n_images=12, dtype=np.float32, seed=0):
    """A global level, and windows: 4 and 9 of them."""
    rng = np.random.RandomState(seed)
    sizes = [(1, 1), (2, 2), (3, 3)]
    return [[rng.rand(*size, 6).astype(dtype) for size in sizes] for _ in range(n_images)]


def descriptors_of(images, scale):
    return [image[scale].reshape(-1, image[scale].shape[-1]) for image in images]


def literal_vector(descriptors, codebook, n_neighbors, sigma):
    vectors = literal_vlad(descriptors, codebook, n_neighbors, sigma)
    rooted = np.sign(vectors) * np.sqrt(np.abs(vectors))
    return rooted.ravel() / np.linalg.norm(rooted)


@parametrize_with_checks([MOPVLADEncoder()])
def test_scikit_learn_accepts_the_encoder(estimator, check):
    check(estimator)


@parametrize_with_maps_checks(VARIANTS)
def test_the_encoder_passes_our_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_neighbors", [1, 2, 5])
def test_a_level_equals_the_equations(dtype, n_neighbors):
    images = three_levels(dtype=dtype)
    encoder = MOPVLADEncoder(
        **{**SMALL, "n_neighbors": n_neighbors}, scales=[2], n_output_components=None
    )
    vectors = encoder.fit_transform(images)
    (level,) = encoder.levels_
    for image, vector in zip(descriptors_of(images, 2), vectors, strict=True):
        projected = (image - level.projection.mean_) @ level.projection.components_.T
        expected = literal_vector(projected, level.codebook.astype(float), n_neighbors, 1.0)
        assert_allclose(vector, expected, atol=1e-5 if dtype == np.float32 else 1e-10)


def test_the_whole_representation_equals_the_paper():
    """Section 2, with scikit-learn's PCA and the words that were learned."""
    images = three_levels(dtype=np.float64)
    encoder = MOPVLADEncoder(**SMALL, n_output_components=5)
    vectors = encoder.fit_transform(images)
    blocks = [normalize(np.vstack(descriptors_of(images, 0)))]
    for scale in (1, 2):
        descriptors = descriptors_of(images, scale)
        pca = PCA(4, svd_solver="full").fit(np.vstack(descriptors))
        codebook = encoder.levels_[scale].codebook
        pooled = np.array([literal_vector(pca.transform(x), codebook, 2, 1.0) for x in descriptors])
        blocks.append(normalize(PCA(5, svd_solver="full").fit_transform(pooled)))
    assert_allclose(vectors, np.hstack(blocks), atol=1e-8)
    assert_allclose(np.linalg.norm(vectors, axis=1), np.sqrt(3))


def anyloc_vector(descriptors, centers):
    """Encode as AnyLoc's own code does: cosine labels, residuals to means, two normalisations."""
    unit = normalize(descriptors)
    labels = (unit @ normalize(centers).T).argmax(axis=1)
    blocks = np.zeros(centers.shape)
    for word in set(labels):
        residual = (unit[labels == word] - centers[word]).sum(axis=0)
        blocks[word] = residual / np.linalg.norm(residual)
    return blocks.ravel() / np.linalg.norm(blocks)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_setting_is_the_vlad_of_anyloc(dtype):
    tokens = np.random.default_rng(0).normal(size=(8, 5, 6, 7)).astype(dtype)
    tokens *= np.arange(1, 6, dtype=dtype)[:, None, None]  # of any length
    encoder = MOPVLADEncoder(**ANYLOC, n_clusters=4, random_state=0)
    vectors = encoder.fit_transform(tokens)
    centers = encoder.levels_[0].codebook.astype(float)
    assert (np.linalg.norm(centers, axis=1) < 0.95).all()  # means of unit vectors
    for image, vector in zip(tokens.reshape(8, -1, 7).astype(float), vectors, strict=True):
        assert_allclose(vector, anyloc_vector(image, centers), atol=1e-5)
    assert encoder.n_components_ == 7


def test_words_of_directions_are_the_means_of_what_is_nearest_by_angle():
    descriptors = np.random.default_rng(1).normal(size=(300, 5)) + 0.5
    encoder = MOPVLADEncoder(**ANYLOC, n_clusters=6, random_state=0).fit(descriptors[:, None, :])
    words = encoder.levels_
    assert isinstance(words[0], PooledLevel)  # one descriptor per image is the global level
    encoder.fit(descriptors.reshape(10, 30, 5))
    (level,) = encoder.levels_
    unit = normalize(descriptors)
    labels = (unit @ normalize(level.codebook).T).argmax(axis=1)
    means = [unit[labels == word].mean(axis=0) for word in range(6)]
    assert_allclose(level.codebook, means, atol=1e-6)


def test_lengths_of_descriptors_do_not_count_once_they_are_normalised():
    images = three_levels(dtype=np.float64)
    rng = np.random.default_rng(0)
    scaled = [[part * rng.uniform(0.1, 9, (*part.shape[:2], 1)) for part in x] for x in images]
    for n_components in (None, 4):
        encoder = MOPVLADEncoder(
            **{**SMALL, "n_components": n_components, "sigma": "auto"}, normalize_descriptors=True
        ).fit(images)
        assert_allclose(encoder.transform(scaled), encoder.transform(images), atol=1e-10)


def test_soft_weights_of_directions_are_a_softmax_of_cosines():
    images = three_levels(dtype=np.float64)
    encoder = MOPVLADEncoder(
        **{**ANYLOC, "n_neighbors": 3, "intra_normalize": False},
        scales=[2],
        n_clusters=3,
        sigma=0.3,
        random_state=0,
    ).fit(images)
    centers = encoder.levels_[0].codebook
    unit = normalize(descriptors_of(images, 2)[0])
    weights = np.exp(unit @ normalize(centers).T / 0.3**2)
    weights /= weights.sum(axis=1, keepdims=True)
    expected = np.einsum("pk,pkd->kd", weights, unit[:, None] - centers).ravel()
    assert_allclose(encoder.transform(images)[0], expected / np.linalg.norm(expected), atol=1e-10)


def test_blocks_of_words_weigh_the_same_after_intra_normalisation():
    images = three_levels(dtype=np.float64)
    encoder = MOPVLADEncoder(
        **SMALL, scales=[2], intra_normalize=True, n_output_components=None
    ).fit(images)
    blocks = np.linalg.norm(encoder.transform(images).reshape(12, 3, 4), axis=2)
    assert_allclose(blocks, 1 / np.sqrt(3))


def test_each_level_has_its_own_components_and_words():
    images = three_levels()
    encoder = MOPVLADEncoder(**SMALL).fit(images)
    whole, quarters, ninths = encoder.levels_
    assert isinstance(whole, PooledLevel)
    for level, scale in ((quarters, 1), (ninths, 2)):
        sample = np.vstack(descriptors_of(images, scale)).astype(np.float64)
        pca = PCA(4, svd_solver="full").fit(sample)
        assert_allclose(level.projection.components_, pca.components_, atol=1e-3)
        projected = pca.transform(sample)
        inertia = ((projected[:, None] - level.codebook) ** 2).sum(axis=2).min(axis=1).sum()
        best = KMeans(3, n_init=10, random_state=0).fit(projected).inertia_
        assert best * 0.999 <= inertia <= best * 1.2


def test_learning_the_scales_together_or_alone_is_the_same():
    images = three_levels()
    together = MOPVLADEncoder(**SMALL, n_output_components=3).fit_transform(images)
    alone = [
        MOPVLADEncoder(**SMALL, n_output_components=3, scales=[scale]).fit_transform(images)
        for scale in range(3)
    ]
    assert_allclose(together, np.hstack(alone), atol=1e-6)


@pytest.mark.parametrize(("pooling", "reduce"), [("avg", np.mean), ("max", np.max)])
def test_baselines(pooling, reduce):
    images = three_levels()
    blocks = [
        normalize(np.array([reduce(x, axis=0) for x in descriptors_of(images, scale)]))
        for scale in range(3)
    ]
    concatenated = MOPVLADEncoder(pooling=pooling).fit_transform(images)
    assert_allclose(concatenated, np.hstack(blocks), rtol=1e-5)
    union = MOPVLADEncoder(pooling=pooling, across_scales="union").fit_transform(images)
    everything = [np.vstack([scale.reshape(-1, 6) for scale in image]) for image in images]
    assert_allclose(union, normalize([reduce(x, axis=0) for x in everything]), rtol=1e-5)


def test_the_union_is_one_level_of_all_descriptors():
    images = three_levels()
    union = MOPVLADEncoder(**SMALL, across_scales="union").fit(images)
    everything = [np.vstack([scale.reshape(-1, 6) for scale in image]) for image in images]
    one_scale = MOPVLADEncoder(**SMALL).fit(everything)
    assert len(union.levels_) == 1
    assert_allclose(union.transform(images), one_scale.transform(everything), atol=1e-5)


def test_one_descriptor_an_image_is_passed_on():
    X = np.random.RandomState(0).rand(9, 5)
    encoder = MOPVLADEncoder().fit(X)
    assert_allclose(encoder.transform(X), normalize(X))
    assert encoder.n_components_ == encoder.n_clusters_ == 0


def test_an_image_that_failed_does_not_make_the_whole_image_a_level_of_words():
    images = [*three_levels(4), [np.empty((0, 0, 6), np.float32)] * 3]
    assert isinstance(MOPVLADEncoder(**SMALL).fit(images).levels_[0], PooledLevel)


def test_whitening_decorrelates_the_final_vector():
    images = three_levels(60)
    encoder = MOPVLADEncoder(**SMALL, whiten=8).fit(images)
    assert encoder.transform(images).shape == (60, 8)
    assert_allclose(np.linalg.norm(encoder.transform(images), axis=1), 1, rtol=1e-5)
    plain = MOPVLADEncoder(**SMALL).fit_transform(images)
    expected = PCA(8, whiten=True, svd_solver="full").fit_transform(plain.astype(np.float64))
    assert_allclose(encoder.transform(images), normalize(expected), atol=1e-3)


def test_whitening_keeps_as_many_components_as_are_asked_for():
    images = three_levels(40)
    for n_output_components, width in ((7, 7), (None, 30), (1000, 30)):
        for whiten in (True, np.True_):
            encoder = MOPVLADEncoder(
                **SMALL, whiten=whiten, n_output_components=n_output_components
            )
            assert encoder.fit_transform(images).shape[1] == width


def test_numbers_are_clipped_and_kept():
    images = three_levels(3)
    encoder = MOPVLADEncoder(scales=[1], random_state=0).fit(images)
    assert (encoder.n_components_, encoder.n_clusters_) == (6, 12)
    assert encoder.transform(images).shape == (3, 3)
    assert MOPVLADEncoder(**SMALL).fit(images).n_components_ == 4


def test_sigma_is_kept_or_learned():
    images = three_levels(40, np.float64)
    assert MOPVLADEncoder(**{**SMALL, "sigma": 3.3}).fit(images).sigma_ == 3.3
    learned = MOPVLADEncoder(**{**SMALL, "sigma": "auto"}).fit(images)
    squares = []
    for level, scale in zip(learned.levels_[1:], (1, 2), strict=True):
        projected = level.projection.transform(np.vstack(descriptors_of(images, scale)))
        distances = ((projected[:, None] - level.codebook) ** 2).sum(axis=2).min(axis=1)
        squares.append(distances.mean())
    assert_allclose(learned.sigma_, np.sqrt(np.mean(squares)))
    again = MOPVLADEncoder(**{**SMALL, "sigma": learned.sigma_}).fit(images)
    assert_allclose(again.transform(images), learned.transform(images), atol=1e-10)
    scaled = [[scale * 100 for scale in image] for image in images]
    rescaled = MOPVLADEncoder(**{**SMALL, "sigma": "auto"}).fit(scaled)
    assert_allclose(rescaled.sigma_, 100 * learned.sigma_)
    assert_allclose(rescaled.transform(scaled), learned.transform(images), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_components", 2),
        ("n_clusters", 2),
        ("n_neighbors", 1),
        ("sigma", 0.05),
        ("pooling", "avg"),
        ("across_scales", "union"),
        ("power", 0.2),
        ("n_output_components", 2),
        ("whiten", True),
        ("normalize_descriptors", True),
        ("intra_normalize", True),
        ("n_components", None),
        ("max_samples", 5),
        ("scales", [1]),
        ("random_state", 7),
        ("layer", "other"),
    ],
)
def test_no_parameter_is_ignored(name, value):
    images, others = three_levels(), three_levels(seed=1)
    maps = FeatureMaps.from_layers({"other": others, "features": images})
    plain = MOPVLADEncoder(**SMALL).fit_transform(maps)
    changed = clone(MOPVLADEncoder(**SMALL)).set_params(**{name: value}).fit_transform(maps)
    assert changed.shape != plain.shape or not np.allclose(changed, plain, atol=1e-4)


@pytest.mark.parametrize(
    "bad",
    [
        {"sigma": 0},
        {"sigma": "none"},
        {"n_clusters": 0},
        {"pooling": "sum"},
        {"across_scales": "both"},
        {"power": 2},
        {"whiten": 0},
        {"scales": 1},
        {"layer": 3},
    ],
    ids=str,
)
def test_bad_parameters_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        MOPVLADEncoder(**bad).fit(three_levels())


def test_no_descriptor_at_all():
    with pytest.raises(FeatureMapsError, match="no descriptor"):
        MOPVLADEncoder(whiten=True).fit([np.empty((0, 4))] * 3)


def test_the_second_pca_learns_from_a_bounded_number_of_images(monkeypatch):
    from skdeepenc.encoders import mop_vlad

    monkeypatch.setattr(mop_vlad, "_FEWEST_TEACHERS", 4)
    encoder = MOPVLADEncoder(**SMALL, scales=[2], max_samples=120).fit(three_levels(30))
    assert encoder.levels_[0].reduction.n_samples_ == 120 // 20


def test_tiles_and_batches_change_nothing(monkeypatch):
    from skdeepenc.functional import mop_vlad

    images = three_levels()
    encoder = MOPVLADEncoder(**SMALL).fit(images)
    expected = encoder.transform(images)
    monkeypatch.setattr(mop_vlad, "_TILE_SIZE", 10)
    assert_allclose(encoder.transform(images), expected, atol=1e-5)
    with config_context(working_memory=1e-6):
        assert_allclose(encoder.transform(images), expected, atol=1e-5)


def test_maps_in_files_encode_as_those_in_memory(tmp_path):
    halves = FeatureMaps.from_arrays(three_levels(dtype=np.float16))
    halves.save(tmp_path / "maps")
    mapped = FeatureMaps.load(tmp_path / "maps")
    encoder = MOPVLADEncoder(**SMALL)
    assert_array_equal(encoder.fit_transform(mapped), encoder.fit_transform(halves))


def test_a_pipeline_is_searched_in_worker_processes_and_kept():
    images, labels = three_levels(20), np.arange(20) % 2
    for image, label in zip(images, labels, strict=True):
        image[1][:, :, 0] += label
    maps = FeatureMaps.from_arrays(images)
    pipeline = make_pipeline(MOPVLADEncoder(**SMALL), LinearSVC())
    grid = {"mopvladencoder__n_clusters": [2, 3], "mopvladencoder__scales": [None, [1]]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2).fit(maps, labels)
    assert search.best_score_ == 1
    kept = pickle.loads(pickle.dumps(search))
    assert_array_equal(kept.predict(maps), search.predict(maps))


def test_levels_are_what_the_documentation_says():
    encoder = MOPVLADEncoder(**SMALL).fit(three_levels())
    level = encoder.levels_[1]
    assert isinstance(level, VLADLevel)
    assert level.codebook.shape == (3, 4)
    assert level.projection.components_.shape == (4, 6)
    assert level.reduction.components_.shape == (12, 12)
