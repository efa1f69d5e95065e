"""MOP-CNN: what windows of an image, pooled without order and by scale, add to the whole image."""

from typing import Any

from skdeepenc.encoders import GlobalPooler, MOPVLADEncoder
from skdeepenc.images import Windows
from skdeepenc.reproduction.claims import Claim, Paper, Row

_SUN, _INDOOR = "SUN397", "MIT Indoor 67"
_FULL: dict[str, Any] = {"n_components": 500, "n_clusters": 100, "n_output_components": 4096}
_QUICK: dict[str, Any] = {"n_components": 64, "n_clusters": 16, "n_output_components": None}
_LEVELS = {"level 1": 0, "level 2": 1, "level 3": 2}
_ALL = "levels 1 + 2 + 3 (MOP-CNN)"


def measure(turn):
    """Yield each row of table 2: other poolings, single levels, and all of them."""
    layers = [turn.network.layers.layer]
    maps = turn.maps(layers, Windows(stride=64 if turn.quick else 32)).to_memory()

    def encoder(**parameters):
        settings = _QUICK if turn.quick else _FULL
        return MOPVLADEncoder(**settings, random_state=turn.seed, **parameters)

    whole = turn.kernel(GlobalPooler(scales=[0]), maps)
    for pooling, name in (("avg", "average"), ("max", "maximum"), ("vlad", "VLAD")):
        union = encoder(pooling=pooling, across_scales="union")
        yield f"{name} of all levels' windows together", turn.accuracy(union, maps)
    for pooling, name in (("avg", "averages"), ("max", "maxima")):
        levels = encoder(pooling=pooling)
        yield f"{name} of levels side by side", turn.accuracy(levels, maps)
    by_level = {
        name: turn.kernel(encoder(scales=[scale]), maps) if scale else whole
        for name, scale in _LEVELS.items()
    }
    for name, kernel in by_level.items():
        yield name, turn.correct(kernel)
    yield _ALL, turn.correct(sum(by_level.values()))


PAPER = Paper(
    name="mop-cnn",
    title="Multi-scale Orderless Pooling of Deep Convolutional Activation Features",
    source="Y. Gong, L. Wang, R. Guo, S. Lazebnik, ECCV 2014",
    task="classification",
    needs=("layer",),
    rows=(
        Row("average of all levels' windows together"),
        Row("maximum of all levels' windows together"),
        Row("VLAD of all levels' windows together"),
        Row("averages of levels side by side"),
        Row("maxima of levels side by side"),
        Row("level 1", {_SUN: 39.57}),
        Row("level 2", {_INDOOR: 65.5}),
        Row("level 3"),
        Row(_ALL, {_SUN: 51.98, _INDOOR: 68.88}),
    ),
    claims=(
        Claim("all levels are better than the whole image alone", _ALL, "level 1", "4.2, table 2"),
        Claim("all levels are better than level 2 alone", _ALL, "level 2", "4.2, table 3"),
        Claim("all levels are better than level 3 alone", _ALL, "level 3", "4.2, table 2"),
        Claim(
            "VLAD is better than averages",
            _ALL,
            "averages of levels side by side",
            "4.2, table 2",
        ),
        Claim("VLAD is better than maxima", _ALL, "maxima of levels side by side", "4.2, table 2"),
        Claim(
            "levels side by side are better than all windows together",
            _ALL,
            "VLAD of all levels' windows together",
            "4.2, table 2",
        ),
    ),
    settings="Windows of 256, 128 and 64 pixels of the image at 256, stride 32, each resampled to "
    "the network's input; PCA to 500, 100 words, 5 nearest, second PCA to 4,096. Ours: sigma "
    "learned, a support vector machine with C = 10 in the place of stochastic gradient descent. "
    "Quick: stride 64, PCA to 64, 16 words, no second PCA.",
    measure=measure,
)
