"""Every public name explains itself, in numpydoc, with an example that runs."""

import configparser
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import skdeepenc

SETUP = Path(__file__).parents[1] / "setup.cfg"


def expected_checks():
    config = configparser.ConfigParser()
    config.read(SETUP)
    return set(config["docstrings"]["checks"].split())


def public_objects():
    """Yield the dotted name of whatever a room of the package exports."""
    for room in pkgutil.iter_modules(skdeepenc.__path__, "skdeepenc."):
        if not room.ispkg:
            continue
        module = importlib.import_module(room.name)
        for name in getattr(module, "__all__", ()):
            exported = getattr(module, name)
            if inspect.isclass(exported) or inspect.isfunction(exported):
                yield f"{room.name}.{name}"


@pytest.mark.parametrize("name", sorted(public_objects()))
def test_public_docstrings_follow_numpydoc(name):
    numpydoc = pytest.importorskip("numpydoc.validate")
    checks = expected_checks()
    errors = [error for error in numpydoc.validate(name)["errors"] if error[0] in checks]
    assert not errors


@pytest.mark.parametrize("name", sorted(public_objects()))
def test_public_classes_and_functions_show_an_example(name):
    module, _, attribute = name.rpartition(".")
    exported = getattr(importlib.import_module(module), attribute)
    assert ">>> " in (inspect.getdoc(exported) or "")
