"""Maxima of clusters of activations, against those of a fixed grid and of the whole map."""

from sklearn.frozen import FrozenEstimator

from skdeepenc.encoders import ClusterMAC
from skdeepenc.reproduction.claims import Claim, Paper, Row
from skdeepenc.retrieval import LocalizingRanker, NearestNeighborRanker

_OXFORD, _PARIS = "Oxford5k", "Paris6k"
_N_CANDIDATES, _N_CANDIDATES_QUICK = 200, 20
_N_EXPANSION = 5
# What maxima are taken over, and of how many regions of an image, at least.
_METHODS = {"MAC": ("mac", 1), "R-MAC": ("rmac", 14), "clusters": ("clusters", 14)}
_REGIONS_PER_DIMENSION = 10


def measure(turn):
    """Yield each row of table 1, and the maxima of whole maps."""
    layers = [turn.network.layers.map, "rgb"]
    learning, gallery = (maps.to_memory() for maps in (turn.learning(layers), turn.gallery(layers)))
    queries = {"crop X": turn.cropped_maps(gallery), "crop I": turn.maps_of_crops(layers)}
    for method, (regions, n_regions) in _METHODS.items():
        # Whitening that is learned from fewer harms every method.
        per_dimension = n_regions * len(learning) / learning.n_channels(layers[0])
        enough = per_dimension >= _REGIONS_PER_DIMENSION
        encoder = ClusterMAC(regions=regions, whiten=enough, random_state=turn.seed).fit(learning)
        ranker = NearestNeighborRanker().fit(encoder.transform(gallery))
        for way, maps in queries.items():
            yield f"{method}, {way}", turn.precisions(ranker.rank(encoder.transform(maps)))
        if method != "MAC":
            localizing = _localizing(turn, encoder).fit(gallery)
            ranked = localizing.rank(queries["crop X"])
            yield f"{method}, crop X, re-ranked, expanded", turn.precisions(ranked)


def _localizing(turn, encoder):
    return LocalizingRanker(
        FrozenEstimator(encoder),
        n_candidates=_N_CANDIDATES_QUICK if turn.quick else _N_CANDIDATES,
        n_expansion=_N_EXPANSION,
    )


PAPER = Paper(
    name="cluster-mac",
    title="Aggregated Deep Feature from Activation Clusters for Particular Object Retrieval",
    source="Z. Chen, Z. Kuang, K.-Y. K. Wong, W. Zhang, ACM MM Thematic Workshops 2017",
    task="retrieval",
    needs=("map", "takes_larger"),
    rows=(
        Row("MAC, crop X"),
        Row("MAC, crop I"),
        Row("R-MAC, crop X", {_OXFORD: 70.3, _PARIS: 84.3}),
        Row("R-MAC, crop I", {_OXFORD: 66.9, _PARIS: 83.0}),
        Row("R-MAC, crop X, re-ranked, expanded", {_OXFORD: 79.5, _PARIS: 86.7}),
        Row("clusters, crop X", {_OXFORD: 73.8, _PARIS: 83.9}),
        Row("clusters, crop I", {_OXFORD: 70.3, _PARIS: 83.6}),
        Row("clusters, crop X, re-ranked, expanded", {_OXFORD: 82.5, _PARIS: 86.8}),
    ),
    claims=(
        Claim("clusters are better than the whole map", "clusters, crop X", "MAC, crop X", "3.3"),
        Claim(
            "clusters are better than R-MAC's grid",
            "clusters, crop X",
            "R-MAC, crop X",
            "4.2, table 1",
        ),
        Claim(
            "clusters are better than R-MAC's grid where images are cropped",
            "clusters, crop I",
            "R-MAC, crop I",
            "4.2, table 1",
        ),
        Claim(
            "clusters are better than R-MAC's grid after re-ranking and expansion",
            "clusters, crop X, re-ranked, expanded",
            "R-MAC, crop X, re-ranked, expanded",
            "4.2, table 1",
        ),
        Claim(
            "re-ranking and expansion help",
            "clusters, crop X, re-ranked, expanded",
            "clusters, crop X",
            "4.2, table 1",
        ),
        Claim(
            "cropped activations are better than cropped images",
            "clusters, crop X",
            "clusters, crop I",
            "4.2, table 1",
        ),
    ),
    settings="PCA to 4, 5 and 20 clusters by activations and 5 by colours; the first 200 "
    "are re-ranked, and 5 expand the query. Ours: the affinity of the code that the authors used, "
    "and images whose shorter edge is twice the network's input. The paper learns on Paris6k what "
    "it measures on Oxford5k; a folder has no other images, and whitening is learned from the "
    "gallery, where it has ten regions for each dimension. Quick: the first 20 are re-ranked.",
    measure=measure,
)
