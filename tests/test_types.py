"""What is public is annotated; `tests/typing/user.py`, which mypy reads, shows that it helps."""

import importlib
import inspect

import pytest

ROOMS = (
    *("backbones", "cli", "datasets", "encoders", "export", "extraction", "functional", "images"),
    *("inspection", "maps", "metrics", "persistence", "retrieval", "search", "testing"),
)


def public_functions():
    """Yield the functions of the rooms, and what their classes make public, by whom it is."""
    found = {}
    for room in ROOMS:
        module = importlib.import_module(f"skdeepenc.{room}")
        for name in module.__all__:
            exported = getattr(module, name)
            for owner in exported.__mro__ if inspect.isclass(exported) else [module]:
                members = vars(owner).items() if owner is not module else [(name, exported)]
                for attribute, member in members:
                    function = function_of(member)
                    if is_ours(function) and (attribute == "__init__" or attribute[0] != "_"):
                        found[f"{function.__module__}.{function.__qualname__}"] = function
    return [pytest.param(function, id=name) for name, function in found.items()]


def function_of(member):
    """Return the function inside a method of a class, a property or a decorated function."""
    for wrapped in ("fget", "_compute", "fn", "__func__"):
        member = getattr(member, wrapped, member)
    return inspect.unwrap(member)


def is_ours(function):
    # A dataclass writes its __init__ itself, of fields that have their types.
    written = inspect.isfunction(function) and function.__code__.co_filename != "<string>"
    return written and function.__module__.startswith("skdeepenc")


@pytest.mark.parametrize("function", public_functions())
def test_public_functions_are_annotated(function):
    parameters = inspect.signature(function).parameters
    expected = {"return", *parameters} - {"self", "cls"}
    assert expected - set(function.__annotations__) == set()
