"""What the name of a layer says: encoders take neither pixels nor class tokens unasked."""

__all__ = ["class_token_of", "is_class_token", "is_map", "patches_of"]

_PIXELS = "rgb"
_CLASS_TOKEN = "[cls]"


def is_class_token(layer: str) -> bool:
    """Return whether a layer holds the class token of a vision transformer."""
    return layer.endswith(_CLASS_TOKEN)


def is_map(layer: str) -> bool:
    """Return whether a layer is neither the pixels nor a class token."""
    return layer != _PIXELS and not is_class_token(layer)


def patches_of(layer: str) -> str:
    """Return the layer of patches that goes with a class token; other layers are their own."""
    return layer.removesuffix(_CLASS_TOKEN)


def class_token_of(layer: str) -> str:
    """Return the class token that goes with a layer; class tokens are their own."""
    return patches_of(layer) + _CLASS_TOKEN
