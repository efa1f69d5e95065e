"""Whatever README and documentation show runs, from the top of a page to its bottom.

Every page starts in a folder that holds what its reader is assumed to have: `photos/`, images in
one subfolder per class; `query.jpg` and `new.jpg`, images of the same kind; and `model.onnx`, a
network.
"""

import shutil
import sys
from types import ModuleType

import pytest
from joblib import parallel_config
from pages import ROOT, blocks_of, pages
from PIL import Image

from skdeepenc.backbones import Backbone
from skdeepenc.cli import main
from skdeepenc.datasets import make_scenes
from skdeepenc.demo import comparison as demo
from skdeepenc.export import registry

SKIPPED = "skip: "
# Its engines start processes: tests/search/test_scale_page.py runs it.
ELSEWHERE = {ROOT / "docs" / "guide" / "scale.md"}
OPTIONAL = {
    *("faiss", "filelock", "fsspec", "matplotlib", "pandas", "polars", "pyarrow"),
    *("skimage", "skl2onnx", "starlette", "uvicorn"),
}


def runs(block):
    return not block.skipped and (block.language == "python" or bool(block.commands))


def named(page):
    return str(page.relative_to(ROOT).with_suffix(""))


PAGES = [page for page in pages() if any(map(runs, blocks_of(page))) and page not in ELSEWHERE]


@pytest.fixture(scope="module")
def belongings(tmp_path_factory):
    """Return a folder with what a reader has."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "model.onnx").write_bytes(Backbone("embedded").content())
    scenes = make_scenes(14, image_size=64, n_classes=2, random_state=0)
    for number, (image, kind) in enumerate(zip(scenes.images, scenes.target, strict=True)):
        name = ("query.jpg", "new.jpg")[number] if number < 2 else f"{number:02}.png"
        place = folder if number < 2 else folder / "photos" / scenes.target_names[kind]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / name)
    return folder


@pytest.fixture
def reader(belongings, tmp_path, monkeypatch):
    """Stand in a copy of that folder, and undo what a page may change in this process."""
    shutil.copytree(belongings, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_CONVERTERS", dict(registry._CONVERTERS))
    monkeypatch.setenv("MPLBACKEND", "agg")
    for name, value in {"N_SCENES": 20, "N_SEEDS": 2, "N_TIMED": 1}.items():
        monkeypatch.setattr(demo, name, value)  # two pages run it, each for half a minute else
    with parallel_config("threading"):  # new processes import everything, which takes seconds
        yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_code_of_a_page_runs(page, monkeypatch, capsys):
    module = ModuleType(named(page))  # what is pickled is looked for in its module
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for block in filter(runs, blocks_of(page)):
        try:
            run(block, page, module, capsys)
        except ImportError as error:
            if error.name not in OPTIONAL and getattr(error.__cause__, "name", "") not in OPTIONAL:
                raise
            pytest.skip(str(error))


def run(block, page, module, capsys):
    """Run one block where the blocks before it have left their names and files."""
    if block.language == "python":
        code = "\n" * (block.line - 1) + block.code  # a traceback names the line of the page
        exec(compile(code, page, "exec"), module.__dict__)
    for words in block.commands if block.language != "python" else ():
        code, said = main(words), capsys.readouterr().err
        if "which is not installed" in said:
            pytest.skip(said.strip())
        assert code == 0, f"{page}:{block.line}: skdeepenc {' '.join(words)}: {said}"


@pytest.mark.parametrize("page", pages(), ids=named)
def test_a_block_runs_or_says_why_it_does_not(page):
    for block in blocks_of(page):
        place = f"{page}:{block.line}: {block.language} {block.skipped}"
        assert block.language not in {"py", "python3", "pycon", "ipython", "console", "sh"}, place
        assert not (block.language == "{code-block}" and "python" in block.skipped), place
        if block.language in {"python", "bash"} and block.skipped:
            assert block.skipped.removeprefix(SKIPPED) != block.skipped, place
            assert len(block.skipped) > len(SKIPPED), place
