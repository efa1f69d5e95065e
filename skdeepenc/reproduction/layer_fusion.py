"""Layer fusion: mapped similarities of several layers against single layers and plain sums."""

from skdeepenc.encoders import BagOfVisualWords, GlobalPooler
from skdeepenc.reproduction.claims import Claim, Paper, Row
from skdeepenc.retrieval import LayerFusionRanker

_OXFORD, _HOLIDAYS = "Oxford5k", "Holidays"
_HIGH, _MIDDLE, _LOW = "the head's layer", "words of the last map", "words of the map before"
# As many words as the paper has where the gallery is as large.
_DESCRIPTORS_PER_WORD, _MOST_WORDS, _MOST_WORDS_QUICK = 20, 50_000, 500


def measure(turn):
    """Yield each row of tables 1 to 3."""
    network = turn.network.layers
    layers = {_HIGH: network.layer, _MIDDLE: network.map, _LOW: network.earlier}
    asked = list(dict.fromkeys(layers.values()))
    gallery, queries = turn.gallery(asked), turn.maps_of_crops(asked)
    blocks = {}
    for name, layer in layers.items():
        n_descriptors = int(gallery.n_positions(layer).sum())
        encoder = GlobalPooler() if name == _HIGH else _words(n_descriptors, turn)
        # Learned from the gallery, as in the paper.
        vectors = encoder.fit_transform(gallery.select(layers=[layer]))
        blocks[name] = vectors, encoder.transform(queries.select(layers=[layer]))

    def ranked(names, **parameters):
        of_gallery, of_queries = zip(*(blocks[name] for name in names), strict=True)
        ranker = LayerFusionRanker(**parameters).fit(list(of_gallery))
        return turn.precisions(ranker.rank(list(of_queries)))

    for name in blocks:
        yield name, ranked([name])
    two, three = [_HIGH, _LOW], [_HIGH, _MIDDLE, _LOW]
    yield _SUM, ranked(two, power=1)
    yield _FUSED, ranked(two, thresholds=(0.2, 1))
    yield _SUM_OF_THREE, ranked(three, power=1)
    yield _FUSED_THREE, ranked(three, thresholds=(0.2, 0.4, 1))
    yield _LEARNED, ranked(two)
    yield _LEARNED_THREE, ranked(three)


def _words(n_descriptors, turn):
    most = _MOST_WORDS_QUICK if turn.quick else _MOST_WORDS
    n_words = min(max(n_descriptors // _DESCRIPTORS_PER_WORD, 1), most)
    return BagOfVisualWords(
        n_words=n_words, max_samples=_DESCRIPTORS_PER_WORD * n_words, random_state=turn.seed
    )


_SUM = "two layers, plain sum (concatenation)"
_FUSED = "two layers, t = 0.2, p = 0.45"
_SUM_OF_THREE = "three layers, plain sum (concatenation)"
_FUSED_THREE = "three layers, t = 0.2, 0.4, p = 0.45"
_LEARNED = "two layers, learned threshold (ours)"
_LEARNED_THREE = "three layers, learned thresholds (ours)"

PAPER = Paper(
    name="layer-fusion",
    title="Exploiting the complementary strengths of multi-layer CNN features for image retrieval",
    source="W. Yu, K. Yang, H. Yao, X. Sun, P. Xu, Neurocomputing 2017",
    task="retrieval",
    needs=("map", "earlier", "takes_larger"),
    rows=(
        Row(_HIGH, {_OXFORD: 48.8, _HOLIDAYS: 85.5}),
        Row(_MIDDLE, {_OXFORD: 48.7, _HOLIDAYS: 80.6}),
        Row(_LOW, {_OXFORD: 56.0, _HOLIDAYS: 80.1}),
        Row(_SUM, {_OXFORD: 59.1, _HOLIDAYS: 86.5}),
        Row(_FUSED, {_OXFORD: 61.1, _HOLIDAYS: 88.0}),
        Row(_SUM_OF_THREE, {_OXFORD: 60.2, _HOLIDAYS: 87.2}),
        Row(_FUSED_THREE, {_OXFORD: 61.2, _HOLIDAYS: 88.9}),
        Row(_LEARNED),
        Row(_LEARNED_THREE),
    ),
    claims=(
        Claim("two layers are better than the high one", _FUSED, _HIGH, "5.2, table 2"),
        Claim("two layers are better than the low one", _FUSED, _LOW, "5.2, table 2"),
        Claim(
            "mapped similarities of two layers are better than their sum",
            _FUSED,
            _SUM,
            "5.2, table 2",
        ),
        Claim(
            "mapped similarities of three layers are better than their sum",
            _FUSED_THREE,
            _SUM_OF_THREE,
            "5.3, table 3",
        ),
        Claim("three layers are better than two", _FUSED_THREE, _FUSED, "5.3, table 3"),
    ),
    settings="The paper's layers are fc2, conv5 and conv4 of AlexNet. Queries are images cut to "
    "their boxes. Ours: one word for 20 descriptors of the gallery, 50,000 at most; images "
    "whose shorter edge is twice the network's input; where there is no fully connected layer, the "
    "average of the last map is the head's layer. Quick: 500 words at most.",
    measure=measure,
)
