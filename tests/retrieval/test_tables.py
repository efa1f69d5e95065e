"""Tables and columns of pandas and polars go through rankers as arrays do."""

import numpy as np
import pytest
from extraction.conftest import tiny_network
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from sklearn import config_context

from skdeepenc.encoders import GlobalPooler
from skdeepenc.extraction import ActivationExtractor
from skdeepenc.retrieval import NearestNeighborRanker, make_retrieval_pipeline

NAMES = [f"{image}.jpg" for image in range(30)]


@pytest.fixture(params=["pandas", "polars"])
def library(request):
    return pytest.importorskip(request.param)


def test_a_ranker_takes_tables_of_vectors_and_columns_of_labels_and_names(case, library):
    if not (isinstance(case.X, np.ndarray) and case.X.ndim == 2):
        pytest.skip("no table holds them")
    expected = case.ranker.fit(case.X, case.y, names=NAMES).transform(case.X)
    best = np.take_along_axis(expected, case.ranker.rank(case.X, 4), axis=1)
    score = case.ranker.score(case.X, case.y)
    columns = {f"channel {number}": column for number, column in enumerate(case.X.T)}
    table, labels = library.DataFrame(columns), library.Series(case.y)
    case.ranker.fit(table[:20], labels[:20], names=library.Series(NAMES[:20]))
    case.ranker.partial_fit(table[20:], labels[20:], names=library.Series(NAMES[20:]))
    close = {"rtol": 1e-5, "atol": 1e-6}  # columns lie otherwise in memory: ties may change places
    assert_allclose(case.ranker.transform(table), expected, **close)
    names = case.ranker.rank(table, 4, return_names=True)
    ranks = np.vectorize(NAMES.index)(names)
    assert_allclose(np.take_along_axis(expected, ranks, axis=1), best, **close)
    assert case.ranker.score(table, labels) == pytest.approx(score, abs=0.01)


@pytest.mark.parametrize("output", ["default", "table"])
def test_a_pipeline_ranks_a_column_of_paths(library, output, tmp_path, rng):
    paths = [str(tmp_path / f"{number}.png") for number in range(8)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(path)
    labels, names = [*"aabbaabb"], NAMES[:8]
    pipeline = make_retrieval_pipeline(
        ActivationExtractor(tiny_network(), layers=["conv2"]),
        GlobalPooler(),
        NearestNeighborRanker(n_neighbors=3),
    )
    expected = pipeline.fit(paths, labels).rank(paths)
    table, column = library.DataFrame({"path": paths}), library.Series(labels)
    with config_context(transform_output=library.__name__ if output == "table" else "default"):
        pipeline.fit(table, column, nearestneighborranker__names=library.Series(names))
        assert_array_equal(pipeline.rank(table), expected)
        assert_array_equal(
            pipeline.rank(library.Series(paths), return_names=True), np.array(names)[expected]
        )
        assert pipeline.score(table, column) == pipeline.score(paths, labels)
        pipeline.partial_fit(table[:2], column[:2], names=library.Series(["new", "newer"]))
        assert_array_equal(pipeline.remove(library.Series([8, 9])).rank(table), expected)
