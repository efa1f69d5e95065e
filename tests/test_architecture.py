"""What the import contract cannot say: who may touch a framework or a private helper."""

import ast
from pathlib import Path

import skdeepenc

PACKAGE = Path(skdeepenc.__file__).parent


def imported_modules(path):
    """Yield every module a file imports, and each name of it, wherever the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
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


def is_private_sklearn(name):
    parts = name.split(".")
    return parts[0] == "sklearn" and any(part.startswith("_") for part in parts[1:])


def test_one_file_imports_onnxruntime():
    importing = files_importing(lambda name: name.split(".")[0] == "onnxruntime")
    assert importing == ["backbones/running/session.py"]


def test_one_file_imports_private_helpers_of_sklearn():
    assert files_importing(is_private_sklearn) == ["_sklearn.py"]


def test_extras_are_imported_where_they_are_needed():
    """Optional packages are never imported when a module of ours is."""
    extras = {"matplotlib", "faiss", "simplejpeg", "pandas", "torch", "dask", "huggingface_hub"}
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                roots = {getattr(node, "module", None) or node.names[0].name}
                assert not {root.split(".")[0] for root in roots} & extras, path
