"""What the import contract cannot say: who may touch a framework or a private helper."""

import ast
from functools import cache
from pathlib import Path

import skdeepenc

PACKAGE = Path(skdeepenc.__file__).parent


@cache
def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imported_modules(path):
    """Return every module a file imports, and each name of it, wherever the import stands."""
    return list(_imports(tree_of(path)))


def _imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files_importing(condition):
    return sorted(
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if any(condition(name) for name in imported_modules(path))
    )


def is_private_elsewhere(name, room):
    """Tell whether a name has an underscore below a package of ours that `room` is not inside."""
    parts = name.split(".")
    private = [
        n for n, part in enumerate(parts) if part.startswith("_") and not part.startswith("__")
    ]
    # Between the package itself and its rooms there is no wall: `_sklearn` and its like serve all.
    return parts[0] == "skdeepenc" and any(n > 1 and parts[:n] != room[:n] for n in private)


def is_private_sklearn(name):
    parts = name.split(".")
    return parts[0] == "sklearn" and any(part.startswith("_") for part in parts[1:])


def test_one_file_imports_onnxruntime():
    importing = files_importing(lambda name: name.split(".")[0] == "onnxruntime")
    assert importing == ["backbones/running/runtime.py"]


def test_one_file_imports_private_helpers_of_sklearn():
    assert files_importing(is_private_sklearn) == ["_sklearn.py"]


def test_no_room_imports_what_is_private_in_another():
    found = {
        (path.relative_to(PACKAGE).as_posix(), name)
        for path in PACKAGE.rglob("*.py")
        for name in imported_modules(path)
        if is_private_elsewhere(name, ["skdeepenc", *path.parent.relative_to(PACKAGE).parts])
    }
    assert not found


def test_a_wall_stands_between_rooms_alone():
    assert is_private_elsewhere("skdeepenc.images._jpeg.read", ["skdeepenc", "export"])
    assert is_private_elsewhere("skdeepenc.images.views._edge", ["skdeepenc"])
    assert not is_private_elsewhere("skdeepenc.images._jpeg.read", ["skdeepenc", "images", "raw"])
    assert not is_private_elsewhere("skdeepenc._sklearn.Interval", ["skdeepenc", "images"])


def test_extras_are_imported_where_they_are_needed():
    """Optional packages are never imported when a module of ours is."""
    extras = {"matplotlib", "faiss", "simplejpeg", "pandas", "torch", "dask", "huggingface_hub"}
    for path in PACKAGE.rglob("*.py"):
        for node in tree_of(path).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                roots = {getattr(node, "module", None) or node.names[0].name}
                assert not {root.split(".")[0] for root in roots} & extras, path
