"""What a model takes and offers: as somebody says, or as is supposed where nobody does."""

from skdeepenc.backbones.describing.assumptions import USUAL_SIZE, warn_of_assumptions
from skdeepenc.backbones.describing.catalogue import described, described_by_name
from skdeepenc.backbones.describing.preprocessor_file import spec_beside
from skdeepenc.backbones.describing.spec import ModelSpec
from skdeepenc.images.sizes import in_words


def known_description(model, asked):
    """Return what the catalogue, the file itself or one beside it says of a model.

    Parameters
    ----------
    model : Model
        The model.
    asked : str, path-like or bytes
        What was asked for.

    Returns
    -------
    ModelSpec or None
        The description.
    """
    spec = described(model.digest) or model.parsed.spec
    if spec is None and not isinstance(model.source, bytes):
        spec = spec_beside(model.source, model.name) or described_by_name(asked)
    return spec


def supposed_description(model, *, preprocessing_given, layers_given):
    """Suppose what most models want, and say what was supposed.

    Parameters
    ----------
    model : Model
        A model that nobody described.
    preprocessing_given : bool
        Whether it is known how its images are made.
    layers_given : bool
        Whether it is known which layers to give.

    Returns
    -------
    ModelSpec
        The description.
    """
    entrance, size = model.parsed.entrance, model.made_for or USUAL_SIZE
    layers: list[str] = []
    supposed = {}
    if not preprocessing_given:
        values = "bytes" if entrance.takes_bytes else "ImageNet's mean and deviation"
        supposed["preprocessing=Preprocessing(...)"] = f"RGB, {values}, size {in_words(size)}"
    if not layers_given:
        layers = [_supposed_layer(model, size)]
        supposed["layers=[...]"] = f"the layer {layers[0]!r}"
    warn_of_assumptions(model.name, model.digest, supposed)
    return ModelSpec(model.name, tuple(layers), size, entrance.usual_preprocessing)


def _supposed_layer(model, size):
    """Return the layer that the head reads, by the graph alone."""
    surgery = model.surgery(size)
    layers = model.list_layers(surgery, model.anatomy(surgery, size), size)
    return model.default_layer(surgery, layers, size, surgery.patch)
