"""What is public is annotated; `tests/typing/user.py`, which mypy reads, shows that it helps."""

import importlib
import inspect

import pytest

ROOMS = (
    *("datasets", "encoders", "extraction", "functional", "images", "inspection", "maps"),
    *("metrics", "persistence", "retrieval", "testing"),
)


def public_functions():
    """Yield the functions of the rooms, and the public methods that their classes define."""
    for room in ROOMS:
        module = importlib.import_module(f"skdeepenc.{room}")
        for name in module.__all__:
            exported = getattr(module, name)
            if inspect.isclass(exported):
                for attribute, member in vars(exported).items():
                    function = inspect.unwrap(getattr(member, "__func__", member))
                    if inspect.isfunction(function) and not attribute.startswith("_"):
                        yield pytest.param(function, id=f"{room}.{name}.{attribute}")
            elif inspect.isfunction(exported):
                yield pytest.param(inspect.unwrap(exported), id=f"{room}.{name}")


@pytest.mark.parametrize("function", public_functions())
def test_public_functions_are_annotated(function):
    parameters = inspect.signature(function).parameters
    expected = {"return", *parameters} - {"self", "cls"}
    assert expected - set(function.__annotations__) == set()
