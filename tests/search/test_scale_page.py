"""The page about many workers runs, each engine where it is installed."""

import os
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from joblib import parallel_config
from pages import blocks_of

from skdeepenc.cli import main
from skdeepenc.search import read_shards

pytest.importorskip("pyarrow")
pytest.importorskip("fsspec")

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "scale.md"
BLOCKS = [block.code for block in blocks_of(PAGE) if block.language == "python"]
COMMANDS = [block.code for block in blocks_of(PAGE) if block.language == "bash"]
ENGINES = {"dask": "distributed", "ray": "ray", "pyspark": "pyspark"}
# New processes import everything, which takes seconds.
IS_LONG_FORM = os.environ.get("SKDEEPENC_ROBUSTNESS", "1") != "1"


def engine_of(block):
    """Return the engine that a block starts or uses, or None."""
    uses = r"^(?:import|from) {0}\b|^\w+ = {0}\."
    return next((name for name in ENGINES if re.search(uses.format(name), block, re.M)), None)


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
    assert files == {path.name: path.read_bytes() for path in (page.folder / "loky").iterdir()}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.filterwarnings("ignore")  # of theirs, about ports and processes
def test_engines_start_two_workers(page, engine, monkeypatch):
    if not IS_LONG_FORM:
        pytest.skip("starts processes: in the long form alone, SKDEEPENC_ROBUSTNESS=40")
    pytest.importorskip(ENGINES[engine])
    monkeypatch.chdir(page.folder)
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    blocks = [block for block in BLOCKS if engine_of(block) == engine]
    assert blocks
    for block in blocks:
        exec(compile(block, "scale", "exec"), page.__dict__)


@pytest.mark.parametrize("scheduler", ["parallel", "SLURM_ARRAY_TASK_ID"])
def test_commands_share_the_work(page, scheduler, monkeypatch, capsys):
    """Call the command that is shown as often as its scheduler would, with the same words."""
    monkeypatch.chdir(page.folder)
    (text,) = [text for text in COMMANDS if scheduler in text]
    (line,) = [line for line in text.splitlines() if "skdeepenc encode" in line]
    words = line[line.index("encode") :].partition(" :::")[0].replace("$" + scheduler, "{}")
    words = words.replace("vectors/", f"{scheduler}/") + " --shard-size 4"
    for number in range(8):
        assert main(words.format(number).split()) == 0
    assert capsys.readouterr().out.count("1 written") == 3
    assert len(read_shards(page.folder / scheduler)) == 12


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
