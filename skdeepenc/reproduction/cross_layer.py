"""Cross-convolutional-layer pooling: one layer guides another's pooling, against plain poolings."""

from sklearn.pipeline import make_union

from skdeepenc.encoders import CrossLayerPooler, GlobalPooler
from skdeepenc.images import Crops, Pyramid
from skdeepenc.reproduction.claims import Claim, Paper, Row

# The paper takes apart the variant with learned guidance.
_INDOOR, _PARTS, _BIRDS = "MIT-67", "MIT-67, ablation", "Birds-200"
_GRID = [(1, 1), (2, 2), (4, 4)]
_ENLARGED = 256 / 227
_N_FILTERS, _N_FILTERS_QUICK = 100, 20
_SIGNS = "cross-layer pooling, signs"
_BARE = "cross-layer pooling, without PCA and power"
_MAXIMUM = "cross-layer pooling, maximum in the place of the sum"
_MAXIMA = "maxima of both layers, 1 x 1 to 4 x 4"
_SUMS = "sums of both layers, 1 x 1 to 4 x 4"
_CROPS = "average of ten crops"
_CROSS = "cross-layer pooling"
_LEARNED = "cross-layer pooling, learned guidance (AConv)"
_WHOLE = "whole image"


def measure(turn):
    """Yield each row of tables 1, 7, 8 and 9."""
    network = turn.network.layers
    yield _WHOLE, turn.accuracy(GlobalPooler(), turn.maps([network.layer]))
    crops = Crops(n=5, flip=True, image_size=round(_ENLARGED * network.input_size))
    yield _CROPS, turn.accuracy(GlobalPooler(), turn.maps([network.layer], crops))
    first, second = network.earlier, network.map
    maps = turn.maps([first, second]).to_memory()

    def cross(**parameters):
        named = {"feature_layer": first, "guidance_layer": second, "random_state": turn.seed}
        return CrossLayerPooler(**{**named, **parameters})

    def plain(pooling):
        parts = [
            cross(
                feature_layer=layer,
                guidance_layer="uniform",
                n_components="passthrough",
                pooling=pooling,
                spatial_pyramid=_GRID,
            )
            for layer in (first, second)
        ]
        return make_union(*parts)

    yield _SUMS, turn.accuracy(plain("sum"), maps)
    yield _MAXIMA, turn.accuracy(plain("max"), maps)
    yield _CROSS, turn.accuracy(cross(), maps)
    yield _MAXIMUM, turn.accuracy(cross(pooling="max"), maps)
    yield "cross-layer pooling, without PCA", turn.accuracy(cross(n_components="passthrough"), maps)
    yield "cross-layer pooling, without power", turn.accuracy(cross(power=1), maps)
    bare = cross(n_components="passthrough", power=1)
    yield _BARE, turn.accuracy(bare, maps)
    yield _SIGNS, turn.accuracy(cross(quantize="sign"), maps)
    yield _LEARNED, _learned(turn, network)


def _learned(turn, network):
    """Pool the layer of the head, over windows, by guidance that is learned of the classes."""
    growth = 4 if network.kind == "fully connected" and not turn.quick else 2
    views = Pyramid(n_scales=1, base=growth * network.input_size)
    maps = turn.maps([network.layer], views)
    filters = _N_FILTERS_QUICK if turn.quick else _N_FILTERS
    encoder = CrossLayerPooler(n_guidance_filters=filters, random_state=turn.seed)
    return turn.accuracy(encoder, maps)


PAPER = Paper(
    name="cross-layer",
    title="Cross-Convolutional-Layer Pooling for Image Recognition",
    source="L. Liu, C. Shen, A. van den Hengel, TPAMI 2017",
    task="classification",
    needs=("map", "earlier", "takes_larger"),
    rows=(
        Row(_WHOLE, {_INDOOR: 68.2, _BIRDS: 62.5}),
        Row(_CROPS, {_INDOOR: 70.2, _BIRDS: 63.6}),
        Row(_SUMS, {_INDOOR: 70.9, _BIRDS: 64.1}),
        Row(_MAXIMA, {_INDOOR: 67.9, _BIRDS: 61.5}),
        Row(_CROSS, {_INDOOR: 74.4, _PARTS: 78.2, _BIRDS: 77.0}),
        Row(_MAXIMUM, {_PARTS: 72.8}),
        Row("cross-layer pooling, without PCA", {_PARTS: 72.6}),
        Row("cross-layer pooling, without power", {_PARTS: 76.4}),
        Row(_BARE, {_PARTS: 74.6}),
        Row(_SIGNS, {_PARTS: 77.9, _BIRDS: 76.5}),
        Row(_LEARNED, {_INDOOR: 78.2, _BIRDS: 69.4}),
    ),
    claims=(
        Claim("cross-layer pooling is better than the whole image", _CROSS, _WHOLE, "4.1, table 1"),
        Claim(
            "cross-layer pooling is better than an average of crops",
            _CROSS,
            _CROPS,
            "4.1, table 1",
        ),
        Claim(
            "cross-layer pooling is better than sums of the same layers",
            _CROSS,
            _SUMS,
            "4.3, table 8",
        ),
        Claim("cross-layer pooling is better than their maxima", _CROSS, _MAXIMA, "4.3, table 8"),
        Claim("the sum is better than the maximum", _CROSS, _MAXIMUM, "4.3"),
        Claim("PCA and power help", _CROSS, _BARE, "4.2.2, table 7"),
        Claim("signs lose less than 2 points", _SIGNS, _CROSS, "4.2.3, table 9", margin=2.0),
        Claim("learned guidance is better than a layer's", _LEARNED, _CROSS, "4.1, table 1"),
    ),
    settings="The last two maps of convolutions on the image at the network's own size, PCA "
    "without reduction, L2 by channel, signed square root; the paper's network is VGG-19. Learned "
    "guidance: 100 filters over the head's layer at all positions of the image at four times the "
    "size, or at twice the size where that layer is a map. Quick: 20 filters, twice the size.",
    measure=measure,
)
