"""The names of the package's stub are there, and on the reference page."""

import importlib
import pkgutil
from pathlib import Path

import pytest

import skdeepenc
import skdeepenc.encoders

REFERENCE = Path(__file__).parents[1] / "docs" / "api.md"


def public_rooms():
    """Return the rooms that say what is public, by their names."""
    names = [room.name for room in pkgutil.iter_modules(skdeepenc.__path__, "skdeepenc.")]
    rooms = {name: importlib.import_module(name) for name in names if "._" not in name}
    return {name: room for name, room in rooms.items() if hasattr(room, "__all__")}


@pytest.mark.parametrize("name", skdeepenc.__all__)
def test_every_name_is_there(name):
    assert getattr(skdeepenc, name) is not None


def test_every_encoder_is_a_public_name():
    assert set(skdeepenc.encoders.__all__) <= set(skdeepenc.__all__)


def test_every_name_is_described_with_its_room():
    described = {name for room in public_rooms().values() for name in room.__all__}
    assert set(skdeepenc.__all__) - {"__version__"} <= described


def test_every_room_is_on_the_reference_page():
    page = REFERENCE.read_text(encoding="utf-8")
    assert [room for room in public_rooms() if f"   {room}\n" not in page] == []


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="attribute MopVlad"):
        skdeepenc.MopVlad  # noqa: B018
