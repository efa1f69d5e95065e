"""Graphs of encoders give what the encoders give."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skdeepenc import encoders
from skdeepenc._sklearn import Interval, StrOptions
from skdeepenc.encoders import PowerLawWhitening, SupervisedWhitening
from skdeepenc.exceptions import ExportError
from skdeepenc.export import OnnxEncoder, to_onnx, verify
from skdeepenc.maps import FeatureMaps

PYRAMID = [(1, 1), (2, 2), (3, 1)]
OFTEN = {"layer": [None, "a"], "scales": [None, [-1], [1, 0]]}
# For every parameter that says how images are encoded, the values that make a graph of its own.
VALUES = {
    "MOPVLADEncoder": {
        **OFTEN,
        "n_components": [None, 3],
        "n_clusters": [1, 5],
        "n_neighbors": [1, 3, 50],
        "sigma": ["auto", 1e-40, 1.0, 1e35],
        "pooling": ["vlad", "avg", "max"],
        "across_scales": ["concatenate", "union"],
        "power": [0.3, 0.5, 1],
        "n_output_components": [None, 4],
        "whiten": [False, True, 3],
        "normalize_descriptors": [False, True],
        "intra_normalize": [False, True],
    },
    "MultiScaleFisherEncoder": {
        **OFTEN,
        "n_components": [None, 3],
        "n_gaussians": [1, 3],
        "pooling": ["mpp", "nfk", "csf"],
        "spatial_pyramid": [None, [(1, 1), (3, 1)], PYRAMID],
        "power": [0.3, 0.5, 1],
    },
    "CrossLayerPooler": {
        "feature_layer": [None, "b"],
        "guidance_layer": [None, "uniform", "a"],
        "n_components": [None, "passthrough", 3],
        "pooling": ["sum", "max"],
        "power": [0, 0.5, 1],
        "quantize": [None, "sign"],
        "n_guidance_filters": [None, 4],
        "spatial_pyramid": [None, PYRAMID],
        "normalize": [False, True],
    },
    "GlobalPooler": {
        **OFTEN,
        "method": ["avg", "max", "gem", "lp", "spoc", "crow", "rmac", ("cls", "gem"), "cls"],
        "p": [0.5, 2.5, 3.0, 20],
        "n_levels": [1, 5],
        "normalize": [True, False],
        "across_scales": ["concatenate", "mean"],
    },
    "ClusterMAC": {
        **OFTEN,
        "regions": ["rmac", "mac"],
        "whiten": [True, False],
        "n_output_components": [None, 3],
    },
    "BagOfVisualWords": {
        **OFTEN,
        "n_words": [6],
        "search": ["auto"],
        "idf": [True, False],
        "power": [0, 0.3, 0.5],
    },
}
# What makes an encoder quick to fit, or brings a parameter to bear.
BASES = {
    "MOPVLADEncoder": {"n_components": 4, "n_clusters": 6, "sigma": 1.0, "random_state": 0},
    "MultiScaleFisherEncoder": {"n_components": 4, "n_gaussians": 3, "random_state": 0},
    "CrossLayerPooler": {"random_state": 0},
    "GlobalPooler": {},
    "ClusterMAC": {"regions": "rmac", "random_state": 0},
    "BagOfVisualWords": {"n_words": 8, "random_state": 0},
}
WITH = {"p": {"method": "gem"}, "n_levels": {"method": "rmac"}}
FITTING = {"max_samples", "max_iter", "random_state", "n_jobs", "verbose", "search"}
CUTTING = {
    *("n_components", "n_clusters", "n_color_clusters"),
    *("affinity", "affinity_scale", "eigen_solver"),
}
FITTED_ON = [(4, 5), (5, 4), (6, 6), (3, 3), (4, 5), (6, 5), (5, 5), (4, 4)]
LABELS = np.arange(len(FITTED_ON)) % 2
# Several of one size; one position; a row; nothing at the finer scale, or at all.
ENCODED = [(4, 5), (7, 3), (1, 1), (4, 5), (1, 9), (0, 0), (13, 8), (2, 2)]


def random_maps(grids, n_scales=2, seed=0, sparse=True, dtype=np.float32):
    """Return maps of layers "a" and "b"; each further scale has a row and a column less.

    The class token of "b" is there wherever "b" has a position.
    """
    rng = np.random.default_rng(seed)

    def make(grid, scale, n_channels):
        values = rng.standard_normal((*(max(side - scale, 0) for side in grid), n_channels))
        return (np.maximum(values, 0) if sparse else values).astype(dtype)

    layers = {
        layer: [[make(grid, scale, d) for scale in range(n_scales)] for grid in grids]
        for layer, d in (("a", 6), ("b", 8))
    }
    layers["b[cls]"] = [[scale[:1, :1] + 1 for scale in image] for image in layers["b"]]
    return FeatureMaps.from_layers(layers)


def unfitted(name, parameters):
    return getattr(encoders, name)(**{**BASES[name], **parameters})


def fitted(name, parameters, maps):
    return unfitted(name, parameters).fit(maps, LABELS)


def assert_same(got, expected):
    """Compare directions to a millionth, lengths to a thousandth; zeros stay zeros."""
    expected = expected.toarray() if issparse(expected) else expected
    got, expected = got.astype(np.float64), expected.astype(np.float64)
    lengths, wanted = (np.linalg.norm(x, axis=1) for x in (got, expected))
    np.testing.assert_allclose(lengths, wanted, rtol=1e-3)
    products = np.einsum("ij,ij->i", got, expected)
    assert np.all(products >= (1 - 1e-6) * lengths * wanted)


def with_value(name, parameter, value):
    """Return the encoder of one value of one parameter."""
    return unfitted(name, {**WITH.get(parameter, {}), parameter: value})


# Values of the base, or its defaults, all make the same encoder, which is tried once.
DISTINCT = {
    f"{name} {with_value(name, parameter, value).get_params()}": (name, parameter, value)
    for name, parameters in VALUES.items()
    for parameter, values in parameters.items()
    for value in values
}


@pytest.mark.parametrize(("name", "parameter", "value"), list(DISTINCT.values()))
def test_every_value_of_every_parameter_has_a_graph(name, parameter, value):
    encoder = with_value(name, parameter, value).fit(random_maps(FITTED_ON), LABELS)
    maps = random_maps(ENCODED, seed=1)
    assert_same(OnnxEncoder(encoder).transform(maps), encoder.transform(maps))


@pytest.mark.parametrize("name", VALUES)
def test_no_parameter_is_left_out(name):
    """What constraints allow is tried above, or says how to fit and not how to encode."""
    for parameter, allowed in getattr(encoders, name)._parameter_constraints.items():
        if parameter in (FITTING | CUTTING if name == "ClusterMAC" else FITTING):
            continue
        tried = VALUES[name][parameter]
        for constraint in allowed:
            match constraint:
                case StrOptions():
                    assert constraint.options - {"clusters"} <= set(tried), parameter
                case "boolean":
                    assert {True, False} <= set(tried), parameter
                case Interval():
                    assert any(constraint.is_satisfied_by(value) for value in tried), parameter
                case None:
                    assert None in tried, parameter


@pytest.mark.parametrize("name", encoders.__all__)
def test_every_encoder_is_tried(name):
    of_vectors = {"PowerLawWhitening", "SupervisedWhitening"}  # what follows encoders, tried there
    assert name in {*VALUES, *of_vectors}


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_graphs_equal_encoders_whatever_is_drawn(data):
    name = data.draw(st.sampled_from(sorted(VALUES)))
    own = {key: st.sampled_from(values) for key, values in VALUES[name].items()}
    parameters = data.draw(st.fixed_dictionaries({}, optional=own))
    if parameters.get("n_guidance_filters") and parameters.get("guidance_layer") == "uniform":
        del parameters["guidance_layer"]  # filters need a layer to look at
    sparse, dtype = data.draw(st.booleans()), data.draw(st.sampled_from([np.float16, np.float32]))
    encoder = fitted(name, parameters, random_maps(FITTED_ON, sparse=sparse, dtype=dtype))
    side = st.integers(0, 9)
    grids = data.draw(st.lists(st.tuples(side, side), min_size=1, max_size=6))
    maps = random_maps(grids, seed=2, sparse=sparse, dtype=dtype)
    assert_same(OnnxEncoder(encoder).transform(maps), encoder.transform(maps))


@pytest.mark.parametrize("whitening", [PowerLawWhitening(), SupervisedWhitening(2)], ids=str)
@pytest.mark.parametrize("name", ["GlobalPooler", "MOPVLADEncoder", "CrossLayerPooler"])
def test_vectors_may_be_whitened_behind_any_encoder(name, whitening):
    maps, labels = random_maps(FITTED_ON), np.arange(len(FITTED_ON)) % 2
    encoder = getattr(encoders, name)(**BASES[name])
    pipeline = make_pipeline(encoder, clone(whitening)).fit(maps, labels)
    more = random_maps(ENCODED, seed=1)
    assert to_onnx(pipeline, input="maps", images=more).min_cosine > 0.999


def test_methods_may_be_a_list():
    maps = random_maps(FITTED_ON)
    encoder = encoders.GlobalPooler(method=["crow", "cls", "lp"]).fit(maps)
    assert_same(OnnxEncoder(encoder).transform(maps), encoder.transform(maps))


@pytest.mark.parametrize("unit", [1e-25, 1e15])
@pytest.mark.parametrize("method", ["avg", "max", "gem", "lp", "spoc", "crow", "rmac"])
def test_magnitudes_that_no_square_holds(method, unit):
    maps = random_maps(FITTED_ON)
    encoder = encoders.GlobalPooler(method=method).fit(maps)
    scaled = FeatureMaps.from_layers(
        {
            layer: [[unit * scale for scale in image[layer]] for image in maps]
            for layer in maps.layers
        }
    )
    assert_same(OnnxEncoder(encoder).transform(scaled), encoder.transform(scaled))


@pytest.mark.parametrize("p", [0.5, 2, 3, 5])
@pytest.mark.parametrize("method", ["gem", "lp"])
def test_powers_of_one_channel_may_vanish_where_those_of_another_do_not(method, p):
    units = np.array([1, 1e-25, 0, 1e20, 1e-12, 1], dtype=np.float32)
    maps = units * np.random.default_rng(0).standard_normal((3, 4, 5, 6), np.float32)
    encoder = encoders.GlobalPooler(method=method, p=p, normalize=False).fit(maps)
    expected = encoder.transform(maps)
    np.testing.assert_allclose(OnnxEncoder(encoder).transform(maps), expected, rtol=1e-5)


@pytest.mark.parametrize("pooling", ["sum", "max"])
def test_a_finer_layer_is_pooled_onto_the_coarser_grid(pooling):
    rng = np.random.default_rng(0)
    fine = [[rng.random((2 * h, 3 * w, 5), np.float32)] for h, w in FITTED_ON]
    coarse = [[rng.random((h, w, 4), np.float32)] for h, w in FITTED_ON]
    maps = FeatureMaps.from_layers({"fine": fine, "coarse": coarse})
    encoder = encoders.CrossLayerPooler(pooling=pooling, n_components=3, random_state=0).fit(maps)
    assert_same(OnnxEncoder(encoder).transform(maps), encoder.transform(maps))


@pytest.mark.parametrize("rows", [1, 7, 50])
def test_fisher_vectors_are_the_same_in_tiles(rows, monkeypatch):
    monkeypatch.setattr("skdeepenc.export.converters.fisher._TILE_ROWS", rows)
    encoder = fitted("MultiScaleFisherEncoder", {}, random_maps(FITTED_ON))
    maps = random_maps(ENCODED, seed=1)
    assert_same(OnnxEncoder(encoder).transform(maps), encoder.transform(maps))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 3), (7, 12), (31, 8), (17, 90)])
def test_squares_lie_where_python_lays_them(height, width):
    maps = np.random.default_rng(0).random((2, height, width, 3), np.float32)
    encoder = encoders.GlobalPooler(method="rmac", n_levels=4).fit(maps)
    np.testing.assert_allclose(
        OnnxEncoder(encoder).transform(maps), encoder.transform(maps), atol=1e-6
    )


def test_words_of_an_index_are_an_approximation():
    pytest.importorskip("faiss", reason="the index is of faiss")
    maps = random_maps(FITTED_ON)
    encoder = encoders.BagOfVisualWords(n_words=60, search="faiss", random_state=0).fit(maps)
    with pytest.raises(ExportError, match='search="exact"'):
        OnnxEncoder(encoder).transform(maps)
    report = to_onnx(encoder, input="maps", images=maps, approximate=True, tolerance=0.2)
    assert report.min_cosine > 0.8


def blobs(grids, seed, n_blobs=4):
    """Return maps and colours whose positions lie close to a few of their own kind."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).random((n_blobs, 9)).astype(np.float32) * 4

    def make(grid):
        kinds = rng.integers(n_blobs, size=grid)
        return centres[kinds] + rng.random((*grid, 9)).astype(np.float32) * 0.02

    images = [make(grid) for grid in grids]
    return FeatureMaps.from_layers(
        {
            "a": [[image[..., :6]] for image in images],
            "rgb": [[image[..., 6:] / 5] for image in images],
        }
    )


def test_clusters_have_no_exact_graph():
    maps = np.random.default_rng(0).random((4, 4, 4, 6))
    encoder = encoders.ClusterMAC(n_clusters=2, random_state=0).fit(maps)
    with pytest.raises(ExportError, match=r'Use regions="rmac".*approximate=True'):
        OnnxEncoder(encoder).transform(maps)


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_clusters": (1, 4), "n_color_clusters": 4},
        {"n_clusters": 4, "n_color_clusters": 0, "affinity": "exponential", "whiten": False},
        {"n_clusters": (), "n_color_clusters": 4, "affinity_scale": 0.2},
    ],
)
def test_clusters_that_lie_apart_are_found_by_the_approximate_graph(parameters):
    encoder = encoders.ClusterMAC(random_state=0, **parameters).fit(blobs(FITTED_ON, 0))
    maps = blobs([(7, 6), (7, 6), (1, 1), (0, 0), (6, 9), (2, 2)], 1)
    report = to_onnx(encoder, input="maps", images=maps, approximate=True)
    assert report.median_cosine > 0.999
    assert report.min_cosine > 0.9


def kinds_apart(grids, seed, n_kinds, n_channels):
    """Return maps and colours of kinds of positions that are equally far from one another."""
    rng = np.random.default_rng(seed)
    corners = np.array([[0, 0, 0], [1, 1, 0], [1, 0, 1], [0, 1, 1]])[:n_kinds]
    centres = np.hstack([np.eye(n_kinds, n_channels), corners]).astype(np.float32)
    images = []
    for grid in grids:
        noise = rng.random((*grid, n_channels + 3), np.float32)
        images.append(centres[rng.integers(n_kinds, size=grid)] + noise * 0.005)
    maps = [[image[..., :n_channels]] for image in images]
    return FeatureMaps.from_layers({"a": maps, "rgb": [[image[..., -3:]] for image in images]})


@settings(max_examples=4, deadline=None)
@given(
    grids=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=4),
    n_kinds=st.integers(2, 4),
    n_channels=st.integers(4, 16),
    affinity=st.sampled_from(["gaussian", "exponential"]),
    has_colors=st.booleans(),
    whiten=st.booleans(),
)
def test_as_many_clusters_as_kinds_are_found_whatever_is_drawn(
    grids, n_kinds, n_channels, affinity, has_colors, whiten
):
    encoder = encoders.ClusterMAC(
        n_clusters=n_kinds,
        n_color_clusters=n_kinds if has_colors else 0,
        affinity=affinity,
        whiten=whiten,
        random_state=0,
    ).fit(kinds_apart(FITTED_ON, 0, n_kinds, n_channels))
    maps = kinds_apart(grids, 1, n_kinds, n_channels)
    got, expected = OnnxEncoder(encoder, approximate=True).transform(maps), encoder.transform(maps)
    lengths = np.linalg.norm(expected, axis=1)
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), lengths, rtol=1e-3)
    assert np.all((got * expected).sum(axis=1) >= 0.9 * lengths)


def test_the_tolerance_of_an_approximation_is_about_the_median():
    maps = random_maps([(6, 6)] * 3, n_scales=1)
    encoder = encoders.ClusterMAC(layer="a", n_clusters=5, n_color_clusters=0, random_state=0)
    arguments = {"input": "maps", "images": maps, "approximate": True}
    report = to_onnx(encoder.fit(maps), tolerance=1, **arguments)
    assert report.min_cosine <= report.median_cosine
    if report.median_cosine < 1:
        with pytest.raises(ExportError, match="median_cosine"):
            to_onnx(encoder, tolerance=0, **arguments)


def test_an_approximate_file_is_verified_as_it_was_exported(tmp_path):
    maps = blobs([(6, 6)] * 3, 0)
    encoder = encoders.ClusterMAC(layer="a", n_clusters=4, n_color_clusters=0, random_state=0)
    file = tmp_path / "clusters.onnx"
    exported = to_onnx(encoder.fit(maps), file, input="maps", images=maps, approximate=True)
    verified = verify(encoder, file, maps)
    assert verified.approximate
    assert verified.figures == exported.figures
