"""The page about many workers runs, each engine where it is installed."""

import os
import re
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
from joblib import parallel_config
from pages import blocks_of

pytest.importorskip("pyarrow")
pytest.importorskip("fsspec")

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "scale.md"
BLOCKS = [block.code for block in blocks_of(PAGE) if block.language == "python"]
ENGINES = ("dask", "ray")
# New processes import everything, which takes seconds.
IS_LONG_FORM = os.environ.get("SKDEEPENC_ROBUSTNESS", "1") != "1"


def engine_of(block):
    """Return the engine that a block starts workers of, or None."""
    return next((name for name in ENGINES if re.search(rf"^(import|from) {name}\b", block)), None)


@pytest.fixture(scope="module")
def page():
    """What the code of the page leaves behind, without the engines."""
    module = ModuleType("__main__")  # what a program defines itself travels to workers as a whole
    with parallel_config("loky" if IS_LONG_FORM else "threading"):
        for block in BLOCKS:
            if engine_of(block) is None:
                exec(compile(block, "scale", "exec"), module.__dict__)
    return module


def test_vectors_are_the_pipeline_s(page):
    assert [shard.vectors.shape for shard in page.shards] == [(4, 224)] * 3
    files = {path.name: path.read_bytes() for path in (page.folder / "vectors").iterdir()}
    assert files == {path.name: path.read_bytes() for path in (page.folder / "joblib").iterdir()}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.filterwarnings("ignore")  # of theirs, about ports and processes
def test_engines_start_two_workers(page, engine):
    if not IS_LONG_FORM:
        pytest.skip("starts processes: in the long form alone, SKDEEPENC_ROBUSTNESS=40")
    if find_spec(engine if engine == "ray" else "distributed") is None:
        pytest.skip(f"needs {engine}")
    (block,) = [block for block in BLOCKS if engine_of(block) == engine]
    exec(compile(block, "scale", "exec"), page.__dict__)


def test_batches_of_ray_become_vectors(page):
    paths = sorted(page.photos.iterdir())
    batch = {"path": paths, "bytes": [path.read_bytes() for path in paths]}
    encoded = page.Encode(page.encoder)(batch)
    assert encoded["vector"].shape == (12, 224)
    assert encoded["path"] is paths


def test_frames_of_spark_become_vectors(page):
    pandas = pytest.importorskip("pandas")
    paths = sorted(page.photos.iterdir())
    frame = pandas.DataFrame({"path": paths, "content": [path.read_bytes() for path in paths]})
    encoded = list(page.encode_frames(iter([frame[:5], frame[5:]])))
    assert [len(part) for part in encoded] == [5, 7]
    assert len(encoded[0]["vector"].iloc[0]) == 224
